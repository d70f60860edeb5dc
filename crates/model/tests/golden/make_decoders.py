"""Writes decoders/: small decoders with random weights, and decoders.json: their logits and continuations by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3, safetensors 0.8.0, gguf 0.19.0.
Usage: python make_decoders.py   (in this folder)

The weights come from fixed seeds; nothing is downloaded. `llama` has grouped heads and tied embeddings, `qwen2` biases and
an output matrix of its own; both are saved by transformers. `gguf` has a tensor in each of many types, with rows of queries and
keys in llama.cpp's order; PyTorch gets the values that the gguf package decodes.
"""

import json
import shutil
from pathlib import Path

import numpy
import torch
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

HERE = Path("decoders")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MERGES = [
    ("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "a"), ("i", "n"), ("e", "r"), ("o", "u"), ("Ġ", "c"), ("Ġc", "a"), ("Ġca", "t"),
    ("r", "a"), ("ra", "d"), ("i", "u"), ("iu", "m"), ("rad", "ium"), ("u", "s"), ("us", "er"), ("s", "y"),
]
TEXTS = ["The cat, the radium: 1898!", "  two  spaces\n\nand lines", "über 日本 🙂", "<|im_start|>user\nthe cat<|im_end|>\n", ""]
PROMPTS = {"one": 1, "two": 2, "seven": 7, "twenty": 20, "pieces": 300}


def tokenizer():
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(SPECIALS + letters + [a + b for a, b in MERGES])}
    made = Tokenizer(models.BPE(vocab, MERGES))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIALS])
    return made, vocab


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            parameter.data = 1 + 0.3 * noise
        elif parameter.dim() == 1:
            parameter.data = 0.3 * noise
        elif "embed" in name:
            parameter.data = 0.5 * noise
        else:
            parameter.data = noise * (1.5 / parameter.shape[-1] ** 0.5)


def rounded(model):
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()


def prompts(vocabulary):
    random = numpy.random.default_rng(5)
    return {name: random.integers(3, vocabulary, length).tolist() for name, length in PROMPTS.items()}


def logits(model, prompt):
    """The logits after the first, the middle and the last token."""
    with torch.no_grad():
        rows = model(torch.tensor([prompt])).logits[0]
    places = sorted({0, len(prompt) // 2, len(prompt) - 1})
    return [[place, [float(f"{x:.7g}") for x in rows[place].tolist()]] for place in places]


def log_probability(model, prompt, tokens):
    with torch.no_grad():
        rows = model(torch.tensor([prompt + tokens])).logits[0].double().log_softmax(-1)
    return sum(rows[len(prompt) - 1 + i, token].item() for i, token in enumerate(tokens))


def continued(model, prompt, ends, **options):
    with torch.no_grad():
        made = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long), do_sample=False,
            eos_token_id=ends, pad_token_id=0, **options,
        )[0, len(prompt):].tolist()
    stop = next((i for i, token in enumerate(made) if token in ends), len(made) - 1)
    assert all(token == 0 for token in made[stop + 1:])
    return made[:stop + 1]


def case(model, vocabulary, ends):
    model.eval()
    wanted = {"prompts": {}, "greedy": [], "beams": []}
    for name, prompt in prompts(vocabulary).items():
        wanted["prompts"][name] = {"tokens": prompt, "logits": logits(model, prompt)}
        if name == "pieces":
            continue
        tokens = continued(model, prompt, ends, max_new_tokens=24)
        wanted["greedy"].append({"prompt": name, "tokens": tokens, "log_probability": log_probability(model, prompt, tokens)})
        for width, penalty, most in [(1, 1.0, 12), (2, 1.0, 12), (4, 1.0, 16), (4, 0.0, 16), (3, 2.0, 16), (5, -1.0, 8), (4, 1.0, 1)]:
            tokens = continued(
                model, prompt, ends, max_new_tokens=most, num_beams=width, length_penalty=penalty, early_stopping=False,
            ) if width > 1 else continued(model, prompt, ends, max_new_tokens=most)
            wanted["beams"].append({
                "prompt": name, "width": width, "length_penalty": penalty, "most": most, "tokens": tokens,
                "log_probability": log_probability(model, prompt, tokens),
            })
    return wanted


def pick_ends(model, vocabulary):
    """Tokens that a beam meets, so that some continuations end early; and the marker, which always ends."""
    model.eval()
    seen = [continued(model, p, [vocabulary + 1], max_new_tokens=12) for n, p in prompts(vocabulary).items() if n != "pieces"]
    return sorted({2, seen[0][5], seen[2][9]})


def save(name, model, made, ends):
    folder = HERE / name
    rounded(model)
    model.config.eos_token_id = ends
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({k: v.half() for k, v in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "generation_config.json").unlink(missing_ok=True)
    made.save(str(folder / "tokenizer.json"), pretty=False)


def interleave(rows, heads):
    """The rows of queries and keys as llama.cpp's converter orders them."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def separate(rows, heads):
    return rows.reshape(heads, rows.shape[0] // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def random_blocks(kind, shape, seed):
    """Random blocks of a type that the package cannot make, with values of the size of weights."""
    random = numpy.random.default_rng(seed)
    values, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (shape[0] * shape[1] // values, size), dtype=numpy.uint8)
    scale = 0.0002 if kind == GGMLQuantizationType.Q4_K else 0.00005
    numbers = (scale * (1 + random.random(len(blocks)))).astype("<f2").view(numpy.uint8).reshape(-1, 2)
    if kind == GGMLQuantizationType.Q4_K:
        blocks[:, 0:2] = numbers
        blocks[:, 2:4] = (scale * 7 * numpy.ones(len(blocks))).astype("<f2").view(numpy.uint8).reshape(-1, 2)
    else:
        blocks[:, 208:210] = numbers
    return blocks.reshape(shape[0], -1)


def gguf_file(vocab, config, model):
    """Writes the file, and gives the model the values that are in it."""
    Q = GGMLQuantizationType
    (HERE / "gguf").mkdir()
    writer = GGUFWriter(HERE / "gguf/tiny.gguf", "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(list(vocab))
    writer.add_token_types([3 if token in SPECIALS else 1 for token in vocab])
    writer.add_token_merges([f"{a} {b}" for a, b in MERGES])
    writer.add_eos_token_id(config.eos_token_id)
    writer.add_add_bos_token(False)
    state = model.state_dict()

    def add(ours, theirs, kind, heads=None):
        values = state[theirs].float().numpy()
        values = interleave(values, heads) if heads else values
        if kind in (Q.Q4_K, Q.Q6_K):
            data = random_blocks(kind, values.shape, len(ours))
        else:
            data = quantize(values, kind)
        writer.add_tensor(ours, data, raw_dtype=kind)
        decoded = dequantize(data, kind).reshape(values.shape)
        state[theirs] = torch.tensor(separate(decoded, heads) if heads else decoded)

    add("token_embd.weight", "model.embed_tokens.weight", Q.Q8_0)
    add("output_norm.weight", "model.norm.weight", Q.F32)
    add("output.weight", "lm_head.weight", Q.Q5_1)
    kinds = [(Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q8_0, Q.BF16, Q.F16, Q.Q4_K), (Q.Q8_0, Q.F16, Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.BF16, Q.Q6_K)]
    for layer, (q, k, v, o, gate, up, down) in enumerate(kinds):
        ours, theirs = f"blk.{layer}.", f"model.layers.{layer}."
        add(ours + "attn_norm.weight", theirs + "input_layernorm.weight", Q.F32)
        add(ours + "ffn_norm.weight", theirs + "post_attention_layernorm.weight", Q.F32)
        add(ours + "attn_q.weight", theirs + "self_attn.q_proj.weight", q, config.num_attention_heads)
        add(ours + "attn_k.weight", theirs + "self_attn.k_proj.weight", k, config.num_key_value_heads)
        add(ours + "attn_v.weight", theirs + "self_attn.v_proj.weight", v)
        add(ours + "attn_output.weight", theirs + "self_attn.o_proj.weight", o)
        add(ours + "ffn_gate.weight", theirs + "mlp.gate_proj.weight", gate)
        add(ours + "ffn_up.weight", theirs + "mlp.up_proj.weight", up)
        add(ours + "ffn_down.weight", theirs + "mlp.down_proj.weight", down)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    model.load_state_dict(state)


def main():
    if HERE.exists():
        shutil.rmtree(HERE)
    HERE.mkdir()
    made, vocab = tokenizer()
    size = len(vocab)
    sizes = dict(
        vocab_size=size, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=320, bos_token_id=0, eos_token_id=2, pad_token_id=None,
    )
    wanted = {"texts": [{"text": t, "ids": made.encode(t).ids} for t in TEXTS], "models": {}}

    llama = LlamaForCausalLM(LlamaConfig(
        intermediate_size=48, head_dim=8, rms_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0}, **sizes,
    ))
    randomise(llama, 1)
    ends = pick_ends(llama, size)
    save("llama", llama, made, ends)
    wanted["models"]["llama"] = case(llama, size, ends)

    qwen = Qwen2ForCausalLM(Qwen2Config(intermediate_size=40, rms_norm_eps=1e-6, tie_word_embeddings=False, **sizes))
    randomise(qwen, 2)
    ends = pick_ends(qwen, size)
    save("qwen2", qwen, made, ends)
    wanted["models"]["qwen2"] = case(qwen, size, ends)

    config = LlamaConfig(
        intermediate_size=256, head_dim=8, rms_norm_eps=1e-5, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 20000.0}, **sizes,
    )
    mixed = LlamaForCausalLM(config)
    randomise(mixed, 3)
    gguf_file(vocab, config, mixed)
    wanted["models"]["gguf"] = case(mixed, size, [2])
    Path("decoders.json").write_text(json.dumps(wanted, ensure_ascii=False).replace('"models"', '\n"models"') + "\n", encoding="utf-8")


main()
