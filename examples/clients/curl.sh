#!/usr/bin/env bash
# curl: an answer, a stream, a picture, a model's record.
set -euo pipefail
url=${INFERENCE_CHAT_URL:-http://127.0.0.1:7860}

curl -sSf "$url/inference/text" -H 'Content-Type: application/json' \
  -d '{"prompt": "Hello!", "parameters": {"max_tokens": 40}}'
echo
curl -sSfN "$url/inference/text" -H 'Content-Type: application/json' \
  -d '{"prompt": "Hello!", "parameters": {"max_tokens": 40}, "stream": true}'
curl -sSf "$url/inference/image" -F image=@photo.png -F 'request={"task": "object-detection", "threshold": 0.5}'
echo
curl -sSf "$url/models/starter-chat"
echo
