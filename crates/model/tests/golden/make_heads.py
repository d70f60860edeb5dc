"""Writes heads/: small random masked language models and cross-encoders, and heads.json: their logits and scores by PyTorch.

Made with torch 2.15.0 (CPU), transformers 5.24.0, sentence-transformers 6.2.0, safetensors 0.8.0.
Usage: python make_heads.py   (in this folder)

The logits are those of transformers, each text alone; the scores those of sentence-transformers' CrossEncoder, all pairs in
one padded batch. The directories are as these packages save them, but for the spellings that a comment names.
"""

import json
import shutil
from pathlib import Path

import torch
from make_tiny import BERT_SPECIALS, ROBERTA_SPECIALS, bert_tokenizer, modern_config, randomise, tokenizer, unigram_tokenizer, vocabulary
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder
from transformers import (
    BertConfig, BertForMaskedLM, BertForSequenceClassification, DistilBertConfig, DistilBertForMaskedLM,
    DistilBertForSequenceClassification, ModernBertForMaskedLM, ModernBertForSequenceClassification, MPNetConfig, MPNetForMaskedLM,
    MPNetForSequenceClassification, PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM, XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

HERE = Path("heads")
TEXTS = ["", "the cat sat", "radium is a metal"]
QUERY = "the cat on the mat"
LONG = "a dog and a cat and a rat and a bat and a hat and a mat and a cat again"
DOCUMENTS = ["", "the cat sat on the mat", "radium is a metal", LONG]
LIMIT = 24

SIZES = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
SHIFTED = dict(SIZES, vocab_size=len(vocabulary(ROBERTA_SPECIALS)), max_position_embeddings=42, pad_token_id=1, bos_token_id=0, eos_token_id=2)
DISTIL = dict(vocab_size=len(vocabulary(BERT_SPECIALS)), dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=40)
THETAS = {"full_attention": {"rope_type": "default", "rope_theta": 500.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 10.0}}


def bert_config(**settings):
    return BertConfig(vocab_size=len(vocabulary(BERT_SPECIALS)), max_position_embeddings=40, **SIZES, **settings)


def roberta_tokenizer():
    return tokenizer(ROBERTA_SPECIALS, "<s>", "</s>", "[UNK]")


def masked(name, model, made, seed):
    """Saves a masked language model and returns its logits for every token of every text."""
    randomise(model, seed)
    model.tie_weights()
    model.eval().save_pretrained(HERE / name)
    made.save(str(HERE / name / "tokenizer.json"))
    out = []
    for text in TEXTS:
        ids = torch.tensor([made.encode(text).ids])
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0]
        out.append([[round(x, 6) for x in row] for row in logits.tolist()])
    return out


def cross(name, model, made, seed, specials, activation=None):
    """Saves a cross-encoder as sentence-transformers does and returns its scores."""
    randomise(model, seed)
    scratch = HERE / "scratch"
    model.eval().save_pretrained(scratch)
    names = ["input_ids", "token_type_ids", "attention_mask"] if getattr(model.config, "type_vocab_size", 1) > 1 else ["input_ids", "attention_mask"]
    fast = PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=LIMIT, model_input_names=names, **specials)
    fast.save_pretrained(scratch)
    encoder = CrossEncoder(str(scratch), device="cpu", activation_fn=activation)
    encoder.save_pretrained(str(HERE / name))
    shutil.rmtree(scratch)
    for extra in ("README.md", "special_tokens_map.json"):
        (HERE / name / extra).unlink(missing_ok=True)
    # Read again, so that what was saved is what counts.
    encoder = CrossEncoder(str(HERE / name), device="cpu")
    made.save(str(HERE / name / "tokenizer.json"))
    scores = encoder.predict([(QUERY, document) for document in DOCUMENTS] + [(LONG, LONG), (LONG, "cat")])
    return {"scores": [round(float(x), 7) for x in scores]}


def older_spellings(folder):
    """A checkpoint converted from TensorFlow: gamma and beta; and an activation under its former key."""
    tensors = load_file(folder / "model.safetensors")
    tensors = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in tensors.items()}
    save_file(tensors, folder / "model.safetensors")


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    HERE.mkdir()
    logits = {
        "mlm-bert": masked("mlm-bert", BertForMaskedLM(bert_config()), bert_tokenizer(), 21),
        "mlm-roberta": masked("mlm-roberta", RobertaForMaskedLM(RobertaConfig(type_vocab_size=1, **SHIFTED)), roberta_tokenizer(), 22),
        "mlm-mpnet": masked("mlm-mpnet", MPNetForMaskedLM(MPNetConfig(**SHIFTED)), roberta_tokenizer(), 23),
        "mlm-distilbert": masked("mlm-distilbert", DistilBertForMaskedLM(DistilBertConfig(**DISTIL)), bert_tokenizer(), 24),
        "mlm-modernbert": masked("mlm-modernbert", ModernBertForMaskedLM(modern_config(rope_parameters=THETAS)), bert_tokenizer(), 25),
    }
    older_spellings(HERE / "mlm-bert")

    bert_specials = dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
    roberta_specials = dict(cls_token="<s>", sep_token="</s>", pad_token="<pad>", bos_token="<s>", eos_token="</s>", mask_token="<mask>")
    made = unigram_tokenizer()
    xlm = XLMRobertaConfig(**dict(SHIFTED, vocab_size=made.get_vocab_size(), type_vocab_size=1, num_labels=1))
    scores = {
        "cross-bert": cross("cross-bert", BertForSequenceClassification(bert_config(num_labels=1)), bert_tokenizer(), 31, bert_specials),
        "cross-xlm-roberta": cross(
            "cross-xlm-roberta", XLMRobertaForSequenceClassification(xlm), made, 32, roberta_specials, torch.nn.Identity(),
        ),
        "cross-mpnet": cross(
            "cross-mpnet", MPNetForSequenceClassification(MPNetConfig(num_labels=1, **SHIFTED)), roberta_tokenizer(), 33, roberta_specials,
        ),
        "cross-distilbert": cross(
            "cross-distilbert", DistilBertForSequenceClassification(DistilBertConfig(num_labels=1, **DISTIL)), bert_tokenizer(), 34, bert_specials,
            torch.nn.Identity(),
        ),
        "cross-modernbert": cross(
            "cross-modernbert",
            ModernBertForSequenceClassification(modern_config(num_labels=1, rope_parameters=THETAS, classifier_pooling="mean")),
            bert_tokenizer(), 35, bert_specials, torch.nn.Identity(),
        ),
    }
    # As versions before 4 wrote the activation, and no file of their own.
    for extra in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (HERE / "cross-distilbert" / extra).unlink()
    path = HERE / "cross-distilbert/config.json"
    settings = json.loads(path.read_text())
    settings.pop("sentence_transformers", None)
    settings["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity"
    path.write_text(json.dumps(settings, indent=2))
    out = {"texts": TEXTS, "query": QUERY, "documents": DOCUMENTS, "long": LONG, "max_tokens": LIMIT, "logits": logits, "scores": scores}
    Path("heads.json").write_text(json.dumps(out))


main()
