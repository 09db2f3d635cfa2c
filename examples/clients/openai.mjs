// OpenAI's client for JavaScript, unmodified: an answer, a stream, an error.
import OpenAI from "openai";

const url = process.env.INFERENCE_CHAT_URL ?? "http://127.0.0.1:7860";
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: process.env.INFERENCE_CHAT_KEY ?? "none" });
const ask = { model: "starter-chat", messages: [{ role: "user", content: "Hello!" }], max_tokens: 40 };

const answer = await client.chat.completions.create(ask);
console.log(answer.choices[0].message.content);

const response = await client.responses.create({ model: "starter-chat", input: "Hello!", max_output_tokens: 40 });
console.log(response.output_text);

for await (const chunk of await client.chat.completions.create({ ...ask, stream: true })) {
  process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
}
console.log();

try {
  await client.chat.completions.create({ ...ask, model: "no-such-model" });
} catch (error) {
  console.log(`Refused: ${error.status} ${error.message}`);
}
