//! Exam questions of `Exam-cn`.

use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

use super::check_id;
use crate::fault::Fault;
use crate::record::engine::columns::{optional_text, required_text};
use crate::record::engine::{Field, JsonForm, Shape};

/// A question of an examination, with its answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exam {
    /// Names the question. Not empty.
    pub id: String,
    /// The kind of question: `单选题`, `填空题`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub q_type: Option<String>,
    /// The question.
    pub q_main: String,
    /// Choice A; empty or absent where there is none, as for the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_a: Option<String>,
    /// Choice B.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_b: Option<String>,
    /// Choice C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_c: Option<String>,
    /// Choice D.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_d: Option<String>,
    /// Choice E.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option_e: Option<String>,
    /// The right answer: for choices its letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub std_ans: Option<String>,
    /// The answer in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The explanation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_detail: Option<String>,
    /// The school grade.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub major: Option<String>,
    /// The point of knowledge that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keypoint: Option<String>,
}

impl Exam {
    /// The choices that are given, with their letters.
    pub fn options(&self) -> impl Iterator<Item = (char, &str)> {
        let options =
            [&self.option_a, &self.option_b, &self.option_c, &self.option_d, &self.option_e];
        ('A'..='E')
            .zip(options)
            .filter_map(|(letter, text)| Some((letter, text.as_deref().filter(|t| !t.is_empty())?)))
    }

    /// The question with choices, answer and explanation as one text to train on.
    ///
    /// The labels are Chinese where the question has a Chinese character, else English.
    pub fn text(&self) -> String {
        let is_chinese = self.q_main.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        let (answer_label, detail_label) =
            if is_chinese { ("答案：", "解析：") } else { ("Answer: ", "Explanation: ") };
        let mut text = self.q_main.clone();
        for (letter, option) in self.options() {
            text.push_str(&format!("\n{letter}. {option}"));
        }
        let answer = [&self.std_ans, &self.answer].into_iter().flatten().find(|t| !t.is_empty());
        let detail = self.answer_detail.as_ref().filter(|t| !t.is_empty());
        for (label, part) in [(answer_label, answer), (detail_label, detail)] {
            if let Some(part) = part {
                text.push_str(&format!("\n{label}{part}"));
            }
        }
        text
    }
}

const COLUMNS: &[&str] = &[
    "id",
    "q_type",
    "q_main",
    "option_a",
    "option_b",
    "option_c",
    "option_d",
    "option_e",
    "std_ans",
    "answer",
    "answer_detail",
    "grade",
    "major",
    "keypoint",
];

impl JsonForm for Exam {
    const NAME: &'static str = "wanjuan-exam";
    const SHAPE: Shape = Shape::Object(&[
        Field::required("id", Shape::Text),
        Field::optional("q_type", Shape::Text),
        Field::required("q_main", Shape::Text),
        Field::optional("option_a", Shape::Text),
        Field::optional("option_b", Shape::Text),
        Field::optional("option_c", Shape::Text),
        Field::optional("option_d", Shape::Text),
        Field::optional("option_e", Shape::Text),
        Field::optional("std_ans", Shape::Text),
        Field::optional("answer", Shape::Text),
        Field::optional("answer_detail", Shape::Text),
        Field::optional("grade", Shape::Text),
        Field::optional("major", Shape::Text),
        Field::optional("keypoint", Shape::Text),
    ]);

    fn check(&self) -> Result<(), Fault> {
        check_id(&self.id)
    }

    fn columns() -> Option<&'static [&'static str]> {
        Some(COLUMNS)
    }

    fn from_columns(batch: &RecordBatch, row: usize) -> Result<Self, Fault> {
        let optional = |name| optional_text(batch, name, row);
        Ok(Self {
            id: required_text(batch, "id", row)?,
            q_type: optional("q_type")?,
            q_main: required_text(batch, "q_main", row)?,
            option_a: optional("option_a")?,
            option_b: optional("option_b")?,
            option_c: optional("option_c")?,
            option_d: optional("option_d")?,
            option_e: optional("option_e")?,
            std_ans: optional("std_ans")?,
            answer: optional("answer")?,
            answer_detail: optional("answer_detail")?,
            grade: optional("grade")?,
            major: optional("major")?,
            keypoint: optional("keypoint")?,
        })
    }
}
