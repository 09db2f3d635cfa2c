// Following a reply while it is written: over a socket, or by asking where sockets do not get through.

const SILENCE = 15000; // ms; the server speaks every few seconds, so a longer silence is a dead connection
let followed = null; // the reply that is followed: a token of its own, to see that another one took its place
let socketsWork = null; // unknown until one has spoken, or could not be opened

function unfollow() {
  if (followed && followed.leave) followed.leave();
  followed = null;
}

async function follow(session, reply) {
  unfollow();
  const mine = (followed = { session, reply, leave: null });
  phase = { label: "Waiting", detail: "", since: performance.now() };
  for (let failures = 0; mine === followed; failures += 1) {
    try {
      const thread = await (socketsWork === false ? byAsking(mine) : bySocket(mine, () => { failures = 0; }));
      if (mine === followed && thread) finished(thread);
      if (thread || mine !== followed) return;
    } catch (error) {
      if (mine !== followed) return;
      if (error instanceof Refused) { complain(error); return show({ session: state.session, messages: state.messages, writing: null }); }
    }
    if (failures) { // the server may be restarting, or the computer was asleep
      phase = { ...phase, label: "The connection is lost: trying again", detail: "" };
      drawPhase();
    }
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * failures, 5000)));
  }
}

// The conversation as it is when the reply has ended; null when the connection was lost before.
function bySocket(mine, heard) {
  return new Promise((resolve, reject) => {
    const address = new URL(`chat/${mine.session}/ws?view=page`, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    let silence;
    const leave = (thread = null) => {
      clearTimeout(silence);
      socket.onmessage = socket.onclose = mine.leave = null;
      socket.close();
      resolve(thread);
    };
    const alive = () => { clearTimeout(silence); silence = setTimeout(leave, SILENCE); };
    mine.leave = leave;
    socket.onclose = () => { socketsWork ??= false; leave(); };
    socket.onmessage = ({ data }) => {
      const news = JSON.parse(data);
      socketsWork = true;
      alive();
      heard();
      if (news.type === "ready" && news.writing !== mine.reply) ask("thread", { session: mine.session }).then(leave, reject);
      if (news.type !== "news" || news.reply !== mine.reply) return;
      if (news.done) leave(news);
      else progress(mine.reply, news);
    };
    alive();
  });
}

async function byAsking(mine) {
  const at = { session: mine.session, reply: mine.reply, seen: 0, have: 0 };
  while (mine === followed) {
    const news = await ask("follow", at);
    if (mine !== followed || news.done) return news;
    progress(mine.reply, news);
    Object.assign(at, { seen: news.seen, have: news.finished });
  }
  return null;
}
