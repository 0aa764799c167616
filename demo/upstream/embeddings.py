"""Embeddings as the scripted upstream writes them: the same short vector for every text."""

from __future__ import annotations

import base64
import struct

from demo.upstream import chat
from demo.upstream.behaviour import Behaviour
from demo.upstream.chat import Json


def embeddings(request: Json, behaviour: Behaviour) -> Json:
    texts = request.get("input") or []
    texts = [texts] if isinstance(texts, str) else texts
    vector = [0.25, -0.5, 1.0]
    packed = base64.b64encode(struct.pack("<3f", *vector)).decode()
    embedding = packed if request.get("encoding_format") == "base64" else vector
    data = [{"object": "embedding", "index": index, "embedding": embedding} for index in range(len(texts))]
    tokens = chat.words(texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": chat.served_model(request), "usage": usage}
