"""Writes tiny/: small models with random weights in every supported layout, and tiny.json: their vectors by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0, sentence-transformers 6.2.0, tokenizers 0.23.3, safetensors 0.8.0,
model2vec 0.10.0.
Usage: python make_tiny.py   (in this folder)

The weights come from fixed seeds; nothing is downloaded. They are much larger than those of a fresh model, so that softmax, GELU
and layer norm are far from linear.
"""

import json
import shutil
from pathlib import Path

import numpy
import torch
from model2vec import StaticModel
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import (
    BertConfig, BertModel, DistilBertConfig, DistilBertModel, MPNetConfig, MPNetModel, PreTrainedTokenizerFast,
    ModernBertConfig, ModernBertModel, RobertaConfig, RobertaModel, XLMRobertaConfig, XLMRobertaModel,
)

HERE = Path("tiny")
TEXTS = [
    "", "a", "cat", "the cat sat on the mat", "The CAT, sat!", "radium is a metal", "über naïve",
    "zebra crossing the queue", "\u65e5\u672c", "a cat and a dog and a rat and a bat and a hat and a mat and a cat again",
]
WORDS = ["the", "cat", "sat", "on", "mat", "dog", "and", "a", "is", "##s", "##ing", "##ium", "rad", "query", "pass", ",", "!", ":", "."]


def vocabulary(specials):
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    return {t: i for i, t in enumerate(dict.fromkeys(specials + letters + ["##" + c for c in letters] + WORDS))}


def tokenizer(specials, cls, sep, unk, template=True):
    vocab = vocabulary(specials)
    made = Tokenizer(models.WordPiece(vocab, unk_token=unk, max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if template:
        made.post_processor = processors.TemplateProcessing(
            single=f"{cls} $A {sep}", pair=f"{cls} $A {sep} $B:1 {sep}:1",
            special_tokens=[(cls, vocab[cls]), (sep, vocab[sep])],
        )
    return made


BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ROBERTA_SPECIALS = ["<s>", "<pad>", "</s>", "[UNK]", "<mask>"]


def unigram_tokenizer():
    """As XLM-RoBERTa's: pieces with scores, spaces as `\u2581`, no marks of the second text."""
    letters = [(chr(c), -5.0 - 0.01 * c) for c in range(ord("a"), ord("z") + 1)]
    pieces = ["\u2581the", "\u2581cat", "\u2581", "at", "\u2581s", "\u2581m", "\u2581on", "ing", "ium", "rad", "\u2581a", "\u2581and", "d", ",", "!", "ü"]
    vocab = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocab += list({p: (p, -2.0 - 0.1 * i) for i, p in enumerate(pieces)}.values()) + [l for l in letters if l[0] != "d"] + [("<mask>", 0.0)]
    made = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
    made.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always")
    made.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return made


def modern_config(**settings):
    """Small enough that the windows of the local layers matter to short texts."""
    return ModernBertConfig(
        vocab_size=len(vocabulary(BERT_SPECIALS)), hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=40, local_attention=4, pad_token_id=0, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
        attn_implementation="eager", **settings,
    )


def bert_tokenizer():
    return tokenizer(BERT_SPECIALS, "[CLS]", "[SEP]", "[UNK]")


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name.lower() and name.endswith("weight"):
            parameter.data = 1 + 0.3 * noise
        elif parameter.dim() == 1:
            parameter.data = 0.3 * noise
        elif "embeddings" in name or "relative" in name:
            parameter.data = noise
        else:
            parameter.data = noise * (1.5 / parameter.shape[-1] ** 0.5)


def save_base(name, model, made, dtype=torch.float32, max_length=None):
    """Rounds the weights to a type and saves a bare directory; returns the model with the rounded weights."""
    folder = HERE / name
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype).float()
    # Bare sizes, no pooler: the engine does not need it.
    model.config.save_pretrained(folder)
    tensors = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items() if "pooler" not in k and "position_ids" not in k}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    made.save(str(folder / "tokenizer.json"))
    return folder


def bert(seed, hidden=16, heads=4, activation="gelu", positions=40):
    config = BertConfig(
        vocab_size=len(vocabulary(BERT_SPECIALS)), hidden_size=hidden, num_hidden_layers=2, num_attention_heads=heads,
        intermediate_size=2 * hidden, hidden_act=activation, max_position_embeddings=positions, type_vocab_size=2,
    )
    model = BertModel(config, add_pooling_layer=False).eval()
    randomise(model, seed)
    return model


def directly(model, made, texts, limit):
    """Mean and unit length, each text alone."""
    made.enable_truncation(limit)
    out = []
    for text in texts:
        ids = torch.tensor([made.encode(text).ids])
        with torch.no_grad():
            states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0]
        out.append(torch.nn.functional.normalize(states.mean(0), dim=0).tolist())
    return out


def sentence_model(folder, pooling, tail, prompts, max_length):
    """Wraps a saved base into the modules of sentence-transformers, as that package saves them."""
    made = Tokenizer.from_file(str(folder / "tokenizer.json"))
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]",
        model_max_length=max_length,
    )
    base = BertModel.from_pretrained(folder, add_pooling_layer=False).float().eval()
    scratch = folder.parent / "scratch"
    base.save_pretrained(scratch)
    fast.save_pretrained(scratch)
    body = Transformer(str(scratch), max_seq_length=max_length)
    shutil.rmtree(scratch)
    size = base.config.hidden_size
    model = SentenceTransformer(modules=[body, Pooling(size, pooling_mode=pooling), *tail], prompts=prompts, device="cpu")
    for module in model.modules():
        if hasattr(module, "attn_implementation"):
            module.attn_implementation = "eager"
    return model.eval()


def save_sentence_model(model, folder):
    """Saves all but the weights of the transformer and the tokenizer, which are there in the wanted precision."""
    scratch = folder.parent / "scratch"
    model.save(str(scratch), create_model_card=False)
    for path in scratch.rglob("*"):
        target = folder / path.relative_to(scratch)
        if path.is_dir() or path.name in ("README.md", "tokenizer.json", "special_tokens_map.json") or path == scratch / "model.safetensors" or path == scratch / "config.json":
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    shutil.rmtree(scratch)


def with_st(model, texts, prompt=None):
    return [model.encode([text], prompt=prompt)[0].tolist() for text in texts]


def main():
    torch.manual_seed(0)
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    golden = {}

    folder = save_base("bert-mean", bert(1, hidden=32), bert_tokenizer())
    model = sentence_model(folder, "mean", [Normalize()], {"query": "query: ", "document": "pass: "}, 24)
    save_sentence_model(model, folder)
    golden["bert-mean"] = {
        "query": with_st(model, TEXTS, "query: "), "document": with_st(model, TEXTS, "pass: "), "max_tokens": 24,
    }

    folder = save_base("bert-cls-dense", bert(2, activation="gelu_new"), bert_tokenizer(), torch.float16)
    dense = Dense(16, 8)
    randomise(dense, 3)
    model = sentence_model(folder, "cls", [dense], {}, 32)
    save_sentence_model(model, folder)
    golden["bert-cls-dense"] = {"document": with_st(model, TEXTS), "max_tokens": 32}

    folder = save_base("bert-all-poolings", bert(4, activation="relu"), bert_tokenizer(), torch.bfloat16)
    modes = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    dense = Dense(6 * 16, 12, bias=False, activation_function=torch.nn.Identity())
    randomise(dense, 5)
    model = sentence_model(folder, modes, [dense, Normalize()], {}, 32)
    save_sentence_model(model, folder)
    golden["bert-all-poolings"] = {"document": with_st(model, TEXTS), "max_tokens": 32}
    # The spelling of older checkpoints: a prefix, gamma and beta; and of older pooling settings: flags.
    old = load_file(folder / "model.safetensors")
    for suffix, older in (("LayerNorm.weight", "LayerNorm.gamma"), ("LayerNorm.bias", "LayerNorm.beta")):
        old = {k.replace(suffix, older): v for k, v in old.items()}
    save_file({"bert." + k: v for k, v in old.items()}, folder / "model.safetensors")
    flags = {"cls": "cls_token", "max": "max_tokens", "mean": "mean_tokens", "mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
             "weightedmean": "weightedmean_tokens", "lasttoken": "lasttoken"}
    settings = {"word_embedding_dimension": 16} | {"pooling_mode_" + v: True for v in flags.values()}
    (folder / "1_Pooling/config.json").write_text(json.dumps(settings, indent=1))

    sizes = dict(vocab_size=len(vocabulary(ROBERTA_SPECIALS)), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                 intermediate_size=24, max_position_embeddings=42, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    made = tokenizer(ROBERTA_SPECIALS, "<s>", "</s>", "[UNK]")
    model = RobertaModel(RobertaConfig(type_vocab_size=1, layer_norm_eps=1e-5, **sizes), add_pooling_layer=False).eval()
    randomise(model, 6)
    save_base("roberta", model, made)
    golden["roberta"] = {"document": directly(model, made, TEXTS, 40), "max_tokens": 40}

    model = MPNetModel(MPNetConfig(relative_attention_num_buckets=32, layer_norm_eps=1e-5, **sizes), add_pooling_layer=False).eval()
    randomise(model, 7)
    made.no_truncation()
    save_base("mpnet", model, made)
    golden["mpnet"] = {"document": directly(model, made, TEXTS, 40), "max_tokens": 40}

    config = DistilBertConfig(vocab_size=len(vocabulary(BERT_SPECIALS)), dim=16, n_layers=2, n_heads=4, hidden_dim=24, max_position_embeddings=40)
    model = DistilBertModel(config).eval()
    randomise(model, 8)
    made = bert_tokenizer()
    save_base("distilbert", model, made)
    golden["distilbert"] = {"document": directly(model, made, TEXTS, 40), "max_tokens": 40}

    sizes = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, max_position_embeddings=42)
    made = unigram_tokenizer()
    config = XLMRobertaConfig(vocab_size=made.get_vocab_size(), pad_token_id=1, type_vocab_size=1, layer_norm_eps=1e-5, **sizes)
    model = XLMRobertaModel(config, add_pooling_layer=False).eval()
    randomise(model, 13)
    save_base("xlm-roberta", model, made)
    golden["xlm-roberta"] = {"document": directly(model, made, TEXTS, 40), "max_tokens": 40}

    # As transformers 5 writes the configuration.
    thetas = {"full_attention": {"rope_type": "default", "rope_theta": 500.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 10.0}}
    model = ModernBertModel(modern_config(rope_parameters=thetas)).eval()
    randomise(model, 14)
    made = bert_tokenizer()
    save_base("modernbert", model, made)
    golden["modernbert"] = {"document": directly(model, made, TEXTS, 40), "max_tokens": 40}

    # As transformers 4 wrote it; with all biases, in f16, and with the prefix of a masked language model.
    config = modern_config(norm_bias=True, attention_bias=True, mlp_bias=True, hidden_activation="gelu_pytorch_tanh")
    folder = save_base("modernbert-older", ModernBertModel(config), bert_tokenizer(), torch.float16)
    older = json.loads((folder / "config.json").read_text())
    del older["rope_parameters"], older["layer_types"]
    older |= {"global_attn_every_n_layers": 2, "global_rope_theta": 500.0, "local_rope_theta": 10.0, "position_embedding_type": "absolute"}
    (folder / "config.json").write_text(json.dumps(older, indent=2))
    model = ModernBertModel(ModernBertConfig.from_pretrained(folder, attn_implementation="eager")).eval()
    assert model.config.layer_types == ["full_attention", "sliding_attention"] * 2
    randomise(model, 15)
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    save_file({"model." + k: v.half().contiguous() for k, v in model.state_dict().items()}, folder / "model.safetensors")
    golden["modernbert-older"] = {"document": directly(model, bert_tokenizer(), TEXTS, 40), "max_tokens": 40}

    made = bert_tokenizer()
    table = torch.randn(len(vocabulary(BERT_SPECIALS)), 8, generator=torch.Generator().manual_seed(9)).half().float()
    model = SentenceTransformer(modules=[StaticEmbedding(made, embedding_weights=table.numpy()), Normalize()], device="cpu")
    model.save(str(HERE / "static"), create_model_card=False)
    for path in (HERE / "static").rglob("README.md"):
        path.unlink()
    golden["static"] = {"document": with_st(model, TEXTS[1:]), "max_tokens": 1 << 20}

    made = tokenizer(["[PAD]", "[UNK]"], "[PAD]", "[PAD]", "[UNK]", template=False)
    rows = numpy.random.default_rng(10).standard_normal((40, 8)).astype(numpy.float32)
    count = made.get_vocab_size()
    mapping = numpy.random.default_rng(11).integers(0, 40, count)
    weights = numpy.random.default_rng(12).random(count).astype(numpy.float32)
    model = StaticModel(vectors=rows, tokenizer=made, normalize=True, weights=weights, token_mapping=mapping)
    model.save_pretrained(HERE / "model2vec")
    for extra in ("README.md", "modules.json"):
        (HERE / "model2vec" / extra).unlink(missing_ok=True)
    golden["model2vec"] = {"document": [model.encode([text])[0].tolist() for text in TEXTS], "max_tokens": 512}

    rounded = {n: {k: [[round(x, 8) for x in v] for v in vs] if isinstance(vs, list) else vs for k, vs in g.items()} for n, g in golden.items()}
    Path("tiny.json").write_text(json.dumps({"texts": TEXTS, "models": rounded}))


if __name__ == "__main__":
    main()
