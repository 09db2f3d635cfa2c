// Gradio's client for JavaScript: an answer as it grows, and a picture.
import { readFile } from "node:fs/promises";
import { Client } from "@gradio/client";

const url = process.env.INFERENCE_CHAT_URL ?? "http://127.0.0.1:7860";
const client = await Client.connect(url, { events: ["data", "status"] });

const writing = client.submit("/generate", { prompt: "Hello!", parameters: { max_tokens: 40 } });
for await (const event of writing) {
  if (event.type === "data") console.log(event.data[0]);
}

const image = new Blob([await readFile("photo.png")], { type: "image/png" });
const found = await client.predict("/analyze_image", { image, task: "object-detection" });
console.log(JSON.stringify(found.data[0].output));

try {
  await client.predict("/generate", { prompt: "Hello!", model: "no-such-model" });
} catch (error) {
  console.log(`Refused: ${error.message}`);
}
client.close();
