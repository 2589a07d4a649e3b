//! WanJuan image-text to interleaved samples and back.

use serde::Serialize;

use super::{Image, Interleaved, Part};
use crate::fault::{Fault, FaultKind};
use crate::record::wanjuan::{ImageText, WanJuanImage};

/// Pictures that are only in one of the two places where WanJuan names them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PictureReport {
    /// Addresses in `content` that `img_list` does not have.
    pub unlisted: Vec<String>,
    /// Addresses in `img_list` that `content` does not have.
    pub unplaced: Vec<String>,
}

impl PictureReport {
    /// Whether every picture is in both places.
    pub fn is_complete(&self) -> bool {
        self.unlisted.is_empty() && self.unplaced.is_empty()
    }
}

/// One `![alt](url)` in a text.
struct Mark<'a> {
    start: usize,
    end: usize,
    alt: &'a str,
    url: &'a str,
}

impl Interleaved {
    /// Puts each picture of `img_list` where `content` has its `![](url)`.
    ///
    /// The texts between are verbatim, so [`to_wanjuan`](Self::to_wanjuan) gives `content` back to
    /// the byte.
    pub fn from_wanjuan(document: &ImageText) -> (Self, PictureReport) {
        let mut sample = Self { id: Some(document.id.clone()), ..Self::default() };
        let mut report = PictureReport::default();
        let mut is_placed = vec![false; document.img_list.len()];
        let mut at = 0;
        while let Some(mark) = next_mark(&document.content, at, &document.img_list) {
            sample.push_text(&document.content[at..mark.start]);
            let listed = document.img_list.iter().position(|image| image.url == mark.url);
            let image = match listed {
                Some(index) => {
                    is_placed[index] = true;
                    Image { alt: mark.alt.to_owned(), ..read_image(&document.img_list[index]) }
                }
                None => {
                    report.unlisted.push(mark.url.to_owned());
                    let (source, alt) = (mark.url.to_owned(), mark.alt.to_owned());
                    Image { source, alt, ..Image::default() }
                }
            };
            sample.parts.push(Part::Image(image));
            at = mark.end;
        }
        sample.push_text(&document.content[at..]);
        for (image, _) in document.img_list.iter().zip(is_placed).filter(|(_, placed)| !placed) {
            report.unplaced.push(image.url.clone());
            sample.unplaced.push(read_image(image));
        }
        (sample, report)
    }

    /// Writes pictures as `![](url)` and lists those whose hash is known, each address once.
    ///
    /// # Errors
    ///
    /// A [`Fault`] of kind missing if the sample has no id.
    pub fn to_wanjuan(&self) -> Result<(ImageText, PictureReport), Fault> {
        let id = self
            .id
            .clone()
            .ok_or_else(|| Fault::field(FaultKind::Missing, "id", "a string", "no such field"))?;
        let mut report = PictureReport::default();
        let mut img_list: Vec<WanJuanImage> = Vec::new();
        let mut content = String::new();
        for part in &self.parts {
            match part {
                Part::Text { text } => content.push_str(text),
                Part::Image(image) => {
                    content.push_str(&format!("![{}]({})", image.alt, image.source));
                    let is_new = img_list.iter().all(|listed| listed.url != image.source);
                    match write_image(image) {
                        Some(image) if is_new => img_list.push(image),
                        Some(_) => {}
                        None => report.unlisted.push(image.source.clone()),
                    }
                }
            }
        }
        for image in &self.unplaced {
            report.unplaced.push(image.source.clone());
            img_list.extend(write_image(image));
        }
        Ok((ImageText { id, img_list, content }, report))
    }
}

/// The next picture at or after byte `from`.
///
/// Addresses may hold parentheses, so a listed address that fits is taken first, the longest of
/// several; else the mark ends at the first parenthesis.
fn next_mark<'a>(text: &'a str, from: usize, listed: &'a [WanJuanImage]) -> Option<Mark<'a>> {
    let mut at = from;
    loop {
        let start = at + text[at..].find("![")?;
        let alt_start = start + 2;
        let alt_len = text[alt_start..].find([']', '\n', '[']).unwrap_or(0);
        let url_start = alt_start + alt_len + 2;
        if text[alt_start + alt_len..].starts_with("](") {
            let rest = &text[url_start..];
            let fits = |url: &&str| rest.strip_prefix(*url).is_some_and(|r| r.starts_with(')'));
            let known = listed.iter().map(|image| image.url.as_str()).filter(fits);
            let len = match known.max_by_key(|url| url.len()) {
                Some(url) => Some(url.len()),
                None => rest.find([')', '\n']).filter(|&len| rest[len..].starts_with(')')),
            };
            if let Some(len) = len {
                let alt = &text[alt_start..][..alt_len];
                return Some(Mark { start, end: url_start + len + 1, alt, url: &rest[..len] });
            }
        }
        at = alt_start;
    }
}

fn read_image(image: &WanJuanImage) -> Image {
    Image {
        source: image.url.clone(),
        caption: image.caption.clone(),
        width: image.width_pixels(),
        height: image.height_pixels(),
        sha256: Some(image.sha256.clone()),
        ..Image::default()
    }
}

fn write_image(image: &Image) -> Option<WanJuanImage> {
    let pixels = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
    Some(WanJuanImage {
        url: image.source.clone(),
        sha256: image.sha256.clone()?,
        caption: image.caption.clone(),
        width: pixels(image.width),
        height: pixels(image.height),
    })
}
