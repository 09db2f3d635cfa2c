"""A page on which nothing happens leaves the processor to the models."""

from playwright.sync_api import Browser, Page, Request

from tests.server import Server

COUNTS = """(() => { const draws = requestAnimationFrame; window.drawn = 0;
  window.requestAnimationFrame = (callback) => { window.drawn += 1; return draws(callback); }; })()"""

STILL = "() => { const before = window.seen; window.seen = window.drawn; return before === window.drawn; }"
DOTS = "document.querySelectorAll('.ic-thread > .ic-dots i')"


def opened(browser: Browser, server: Server) -> Page:
    page = browser.new_page()
    page.add_init_script(COUNTS)  # it stands below the page's own filter
    page.goto(server.url)
    page.locator(".ic[data-ready]").wait_for()
    return page


def test_an_idle_page_comes_to_rest(browser: Browser, server: Server):
    page = opened(browser, server)
    page.wait_for_function(STILL, polling=1000)  # a second without a frame
    page.wait_for_function("!document.getAnimations().some((one) => one.playState === 'running')")
    page.close()


def test_a_page_that_is_opened_asks_for_nothing_twice(browser: Browser, server: Server):
    page = browser.new_page()
    asked: list[int] = []

    def note(request: Request) -> None:
        if "/run/" in request.url and request.post_data_json:
            asked.append(request.post_data_json["fn_index"])

    page.on("request", note)
    with page.expect_request("**/run/**"):
        page.goto(server.url)
    page.locator(".ic[data-ready]").wait_for()
    page.wait_for_load_state("networkidle")
    assert asked
    assert sorted(asked) == sorted(set(asked))
    assert len(asked) <= 15
    page.close()


def test_dots_pulse_while_a_model_is_at_work(browser: Browser, server: Server):
    page = opened(browser, server)
    page.evaluate("""() => document.querySelector('.ic-thread').append(Object.assign(
        document.createElement('span'), { className: 'ic-dots', innerHTML: '<i></i><i></i><i></i>' }))""")
    lit = f"[...{DOTS}].map((dot) => !/[/]|rgba/.test(getComputedStyle(dot).backgroundColor)).join()"
    for dots in ("true,false,false", "false,true,false", "false,false,true"):
        page.wait_for_function(f"{lit} === '{dots}'")
    page.close()


def test_the_beat_falls_on_what_is_drawn_anyway(browser: Browser, server: Server):
    page = opened(browser, server)
    beats = page.evaluate("""() => {
        document.body.append(Object.assign(document.createElement('span'), { className: 'ic-dots' }));
        const seen = new MutationObserver(() => {});
        seen.observe(document.documentElement, { attributeFilter: ['data-beat'] });
        let now = performance.now();
        performance.now = () => now; // no timer runs meanwhile
        return [260, 0, 260, 260, 100].map((milliseconds) => {
          now += milliseconds;
          document.dispatchEvent(new Event('drawn'));
          return seen.takeRecords().length;
        });
    }""")
    assert beats == [1, 0, 1, 1, 0]
    page.close()
