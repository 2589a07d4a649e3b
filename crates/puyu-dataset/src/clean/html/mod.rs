//! Main content of web pages as Markdown.
//!
//! Three stages: [`guard`] rewrites the page into a bounded, harmless one; `dom_smoothie` (Mozilla's
//! readability) looks for the article; and where it finds hardly anything, as on product pages and
//! forums, the whole body without its navigation is taken. Tables, code and formulas are kept.

mod guard;
mod markdown;
mod syntax;

use dom_smoothie::{CandidateSelectMode, Config, Readability, TextMode};
use serde::{Deserialize, Serialize};

use crate::error::DatasetError;
use guard::Guarded;

/// Which part of a page is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extraction {
    /// The article if there is one, else the body.
    #[default]
    Auto,
    /// The article only; nothing if there is none.
    Article,
    /// The body without navigation.
    Body,
}

/// How web pages are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HtmlOptions {
    /// Which part is taken: by default the article, or the body where there is none.
    pub extraction: Extraction,
    /// Larger pages are refused, in bytes (8 MiB).
    pub max_bytes: usize,
    /// The most elements that are built (300 000); further tags are passed over and
    /// their text is kept.
    pub max_elements: usize,
    /// The body is taken where the article has less than this share of the body's text (0.35).
    pub min_article_share: f64,
}

impl Default for HtmlOptions {
    fn default() -> Self {
        Self {
            extraction: Extraction::Auto,
            max_bytes: 8 << 20,
            max_elements: 300_000,
            min_article_share: 0.35,
        }
    }
}

/// What a web page says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Page {
    /// The content of `<title>`, if there is one.
    pub title: Option<String>,
    /// The main content, as Markdown without escapes: `*` means what the page says.
    pub markdown: String,
}

/// What is never content, wherever it stands.
const BOILERPLATE: &str = "nav, footer, aside, form, button, select, input, label, dialog, menu, \
    [role=navigation], [role=banner], [role=contentinfo], [role=search], [role=dialog], \
    [role=alertdialog], [role=menu], [role=menubar], [role=complementary], [hidden], \
    [aria-hidden=true], [aria-modal=true], \
    [class*=cookie], [id*=cookie], [class*=breadcrumb], [class*=share-], [class*=social], \
    [id=footer], [id=header], [id=navfirst], [id=navsecond], [id=sidebar], [class*=sidebar], \
    [class=footer], [class*=site-footer], [class*=copyright], [class*=prenext], [class*=pagination]";

impl HtmlOptions {
    /// Takes the main content out of a page.
    ///
    /// Whatever the page, time grows with its length and the stack does not.
    ///
    /// ```
    /// use puyu_dataset::clean::HtmlOptions;
    ///
    /// let html = "<title>诗</title><nav><a href=/>首页</a></nav>\
    ///             <h1>静夜思</h1><p>床前明月光，疑是地上霜。</p><pre>fn main() {}</pre>";
    /// let page = HtmlOptions::default().extract(html)?;
    /// assert_eq!(page.title.as_deref(), Some("诗"));
    /// assert!(page.markdown.starts_with("# 静夜思\n\n床前明月光"));
    /// assert!(page.markdown.contains("fn main() {}") && !page.markdown.contains("首页"));
    /// # Ok::<(), puyu_dataset::DatasetError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatasetError::Limit`] if the page is larger than `max_bytes`.
    pub fn extract(&self, html: &str) -> Result<Page, DatasetError> {
        if html.len() > self.max_bytes {
            return Err(DatasetError::Limit {
                what: "a web page in bytes".to_owned(),
                needed: html.len() as u64,
                limit: self.max_bytes as u64,
            });
        }
        let guarded = guard::guard(html, self.max_elements);
        let title = guarded.title.clone().filter(|title| !title.is_empty());
        let text = match self.extraction {
            Extraction::Article => article(&guarded).unwrap_or_default(),
            Extraction::Body => body(&guarded),
            Extraction::Auto => self.better(&guarded),
        };
        Ok(Page { title, markdown: markdown::finish(&text, &guarded.formulas) })
    }

    fn better(&self, guarded: &Guarded) -> String {
        let body = body(guarded);
        match article(guarded) {
            Some(article) if self.is_enough(&article, &body) => article,
            _ => body,
        }
    }

    fn is_enough(&self, article: &str, body: &str) -> bool {
        letters(article) as f64 >= self.min_article_share * letters(body) as f64
    }
}

/// Letters and digits: what can be compared without markup.
fn letters(text: &str) -> usize {
    text.chars().filter(|c| c.is_alphanumeric()).count()
}

/// The article that readability sees.
fn article(guarded: &Guarded) -> Option<String> {
    let config = Config {
        text_mode: TextMode::Markdown,
        disable_json_ld: true,
        candidate_select_mode: CandidateSelectMode::DomSmoothie,
        // Chinese says in 200 characters what takes English 500.
        char_threshold: 200,
        ..Config::default()
    };
    let mut readability = Readability::new(guarded.html.as_str(), None, Some(config)).ok()?;
    // Readability takes the first heading for the title and drops it; a dataset wants it back.
    let heading = readability.doc.select("h1").iter().next().map(|h1| h1.text().trim().to_owned());
    readability.doc.select(BOILERPLATE).remove();
    let article = readability.parse().ok()?;
    let text = article.text_content.to_string();
    Some(match heading {
        Some(heading) if !heading.is_empty() => with_heading(text, &heading),
        _ => text,
    })
}

/// The text under its heading of the first level, which readability lowers or drops.
fn with_heading(text: String, heading: &str) -> String {
    let heading = heading.split_whitespace().collect::<Vec<_>>().join(" ");
    let lowered = format!("## {heading}");
    let is_lowered = |line: &str| line.trim() == lowered;
    if text.lines().any(is_lowered) {
        text.replacen(&lowered, &lowered[1..], 1)
    } else if text.contains(&heading) {
        text
    } else {
        format!("# {heading}\n\n{text}")
    }
}

/// The body without what is never content.
fn body(guarded: &Guarded) -> String {
    let readability = Readability::from(guarded.html.as_str());
    readability.doc.select(BOILERPLATE).remove();
    readability.doc.select("header nav, header ul, img, head").remove();
    readability.doc.md(None).to_string()
}

#[cfg(test)]
mod tests;
