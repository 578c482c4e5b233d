"""What an answer of llama.cpp (llama-cpp-python) takes, to compare the engine's chat with. Development only.

    CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF" pip install llama-cpp-python
    namesake bench chat --json --ids-to IDS.json [--prompt-tokens 512] --threads 2
    python llamacpp_chat.py MODEL.gguf IDS.json [--threads 2] [--tokens 128] [--repeat 3] [--flash-attention]

IDS.json is the prompt as bench chat gave it to the engine. Greedy, one sequence, llama.cpp's own API without the wrapper's loops; of a
prompt the last position alone has logits. First token: an empty cache, the prompt's pass, and the likeliest id. End-of-turn tokens do not
stop it. Prints one JSON line with the names of bench chat: the best of the repetitions after one to warm up, since what else runs on the
machine can only make them slower.
"""

import argparse
import json
import time

import llama_cpp
import numpy as np


class Chat:
    """A model, and a context with room for one answer."""

    def __init__(self, path, threads, room, flash_attention):
        llama_cpp.llama_log_set(_silent, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        params = llama_cpp.llama_context_default_params()
        params.n_ctx, params.n_batch = room, room
        params.n_threads = params.n_threads_batch = threads
        if flash_attention:
            params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))

    def next(self, ids):
        """The likeliest id after `ids`, which go into the cache behind what is there."""
        array = (llama_cpp.llama_token * len(ids))(*ids)  # which the batch points to, and does not keep
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(array, len(ids))):
            raise RuntimeError("llama_decode failed")
        logits = llama_cpp.llama_get_logits_ith(self.context, -1)
        return int(np.argmax(np.ctypeslib.as_array(logits, shape=(self.vocab,))))

    def measure(self, prompt, tokens):
        """Seconds to the first token, and of each further one."""
        start = time.perf_counter()
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        token = self.next(prompt)
        first = time.perf_counter()
        for _ in range(tokens - 1):
            token = self.next([token])
        return first - start, (time.perf_counter() - first) / (tokens - 1)


@llama_cpp.llama_log_callback
def _silent(_level, _text, _data):
    pass


def main():
    """Load, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("ids")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=128, help="of the answer, 2 or more")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--flash-attention", action="store_true", help="always, instead of where llama.cpp thinks it best")
    options = parser.parse_args()

    with open(options.ids, encoding="utf-8") as file:
        prompt = json.load(file)
    chat = Chat(options.model, options.threads, len(prompt) + options.tokens, options.flash_attention)
    runs = [chat.measure(prompt, options.tokens) for _ in range(options.repeat + 1)][1:]
    first = min(run[0] for run in runs)
    print(json.dumps({
        "prompt_tokens": len(prompt),
        "prefill_tokens_per_second": len(prompt) / first,
        "first_token_seconds": first,
        "tokens_per_second": 1 / min(run[1] for run in runs),
        "tokens": options.tokens,
        "threads": options.threads,
    }, separators=(",", ":")))


if __name__ == "__main__":
    main()
