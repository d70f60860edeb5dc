//! The languages that can be identified, with their codes and names.

use whatlang::Lang;

macro_rules! languages {
    ($($variant:ident $lang:ident $code:literal $name:literal),* $(,)?) => {
        /// A language that can be identified.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Language {
            $(#[doc = concat!("`", $code, "`.")] $variant,)*
        }

        impl Language {
            /// Every language, in the order of the enum.
            pub const ALL: &'static [Language] = &[$(Language::$variant),*];

            /// Returns its code of ISO 639-3, three letters. Chinese is `cmn`, as text is taken for Mandarin.
            pub fn code(self) -> &'static str {
                match self { $(Language::$variant => $code,)* }
            }

            /// Returns its English name in lower case.
            pub fn name(self) -> &'static str {
                match self { $(Language::$variant => $name,)* }
            }

            pub(super) fn from_whatlang(lang: Lang) -> Self {
                match lang { $(Lang::$lang => Language::$variant,)* }
            }
        }
    };
}

languages! {
    Afrikaans Afr "afr" "afrikaans", Akan Aka "aka" "akan", Amharic Amh "amh" "amharic",
    Arabic Ara "ara" "arabic", Armenian Hye "hye" "armenian", Azerbaijani Aze "aze" "azerbaijani",
    Belarusian Bel "bel" "belarusian", Bengali Ben "ben" "bengali", Bulgarian Bul "bul" "bulgarian",
    Burmese Mya "mya" "burmese", Catalan Cat "cat" "catalan", Chinese Cmn "cmn" "chinese",
    Croatian Hrv "hrv" "croatian", Czech Ces "ces" "czech", Danish Dan "dan" "danish",
    Dutch Nld "nld" "dutch", English Eng "eng" "english", Esperanto Epo "epo" "esperanto",
    Estonian Est "est" "estonian", Finnish Fin "fin" "finnish", French Fra "fra" "french",
    Georgian Kat "kat" "georgian", German Deu "deu" "german", Greek Ell "ell" "greek",
    Gujarati Guj "guj" "gujarati", Hebrew Heb "heb" "hebrew", Hindi Hin "hin" "hindi",
    Hungarian Hun "hun" "hungarian", Indonesian Ind "ind" "indonesian", Italian Ita "ita" "italian",
    Japanese Jpn "jpn" "japanese", Javanese Jav "jav" "javanese", Kannada Kan "kan" "kannada",
    Khmer Khm "khm" "khmer", Korean Kor "kor" "korean", Latin Lat "lat" "latin",
    Latvian Lav "lav" "latvian", Lithuanian Lit "lit" "lithuanian",
    Macedonian Mkd "mkd" "macedonian", Malayalam Mal "mal" "malayalam", Marathi Mar "mar" "marathi",
    Nepali Nep "nep" "nepali", Norwegian Nob "nob" "norwegian", Oriya Ori "ori" "oriya",
    Persian Pes "pes" "persian", Polish Pol "pol" "polish", Portuguese Por "por" "portuguese",
    Punjabi Pan "pan" "punjabi", Romanian Ron "ron" "romanian", Russian Rus "rus" "russian",
    Serbian Srp "srp" "serbian", Shona Sna "sna" "shona", Sinhala Sin "sin" "sinhala",
    Slovak Slk "slk" "slovak", Slovene Slv "slv" "slovene", Spanish Spa "spa" "spanish",
    Swedish Swe "swe" "swedish", Tagalog Tgl "tgl" "tagalog", Tamil Tam "tam" "tamil",
    Telugu Tel "tel" "telugu", Thai Tha "tha" "thai", Turkish Tur "tur" "turkish",
    Turkmen Tuk "tuk" "turkmen", Ukrainian Ukr "ukr" "ukrainian", Urdu Urd "urd" "urdu",
    Uzbek Uzb "uzb" "uzbek", Vietnamese Vie "vie" "vietnamese", Welsh Cym "cym" "welsh",
    Yiddish Yid "yid" "yiddish", Zulu Zul "zul" "zulu",
}
