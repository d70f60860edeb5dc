use crate::data::golden;
use ecphory_text::words::for_each_word;

#[test]
fn words_equal_the_reference_package() {
    let rows: serde_json::Value = serde_json::from_str(&golden("words.json")).unwrap();
    for row in rows.as_array().unwrap() {
        let text = row["text"].as_str().unwrap();
        let mut words = Vec::new();
        for_each_word(text, &mut |word| words.push(word.text));
        let expect: Vec<&str> =
            row["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(words, expect, "{text}");
    }
}
