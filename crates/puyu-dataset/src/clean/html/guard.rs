//! Rewrites a page so that parsing it is cheap, whatever it is.
//!
//! The HTML standard's tree construction takes quadratic time on deep nesting, on thousands of
//! attributes and on formatting elements that are never closed. The guard makes one pass over the
//! tags and writes a page without any of these: nesting is cut at [`MAX_DEPTH`] as browsers cut it
//! at 512, only the attributes that extraction reads remain, an open formatting element is not
//! opened again, and scripts, styles, drawings and comments are gone. Visible text stays.
//! Formulas (MathML with a TeX annotation, MathJax scripts) become numbered marks, so that nothing
//! later takes their `_` and `\` for markup.

use std::collections::{HashMap, HashSet};

use memchr::memchr;
use memchr::memmem;

use super::syntax::{Attributes, hides, plain, tag_end, without_tags};

/// Marks around the number of a formula: private characters that no page needs.
pub(super) const FORMULA_START: char = '\u{F8F0}';
pub(super) const FORMULA_END: char = '\u{F8F1}';

/// Far below the 512 of browsers, because lookups in the open elements cost time per level.
const MAX_DEPTH: usize = 128;

/// Content that is dropped with the element.
const DROPPED: [&str; 14] = [
    "style", "svg", "noscript", "iframe", "template", "object", "canvas", "noframes", "noembed",
    "textarea", "audio", "video", "map", "applet",
];

const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements that the standard opens again in the next block if they were not closed.
const FORMATTING: [&str; 14] = [
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
];

/// Elements that indent every line inside them.
const INDENTING: [&str; 4] = ["ul", "ol", "blockquote", "menu"];

/// Deeper lists are for machines.
const MAX_INDENTS: usize = 12;

/// Elements whose start ends a paragraph.
const BLOCKS: [&str; 26] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "div",
    "dl",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "ul",
];

/// Tags that change the parser's mode; their text is ordinary here.
const PASSED_OVER: [&str; 7] = ["plaintext", "xmp", "frameset", "frame", "marquee", "base", "link"];

const ATTRIBUTES: [&str; 16] = [
    "class",
    "id",
    "href",
    "src",
    "alt",
    "rel",
    "role",
    "hidden",
    "aria-hidden",
    "aria-modal",
    "colspan",
    "rowspan",
    "start",
    "itemprop",
    "lang",
    "style",
];

/// A page that is safe to parse.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    pub(super) html: String,
    pub(super) title: Option<String>,
    /// TeX with its dollar signs, by number.
    pub(super) formulas: Vec<String>,
}

/// Rewrites a page; builds at most `max_elements` elements.
pub(super) fn guard(html: &str, max_elements: usize) -> Guarded {
    let mut guard = Guard { html, elements_left: max_elements, ..Guard::default() };
    guard.out.html.reserve(html.len() / 2);
    guard.run();
    guard.out
}

#[derive(Default)]
struct Guard<'a> {
    html: &'a str,
    at: usize,
    out: Guarded,
    /// Names of the open elements that were written.
    open: Vec<&'a str>,
    /// Opened but not written, by lower-case name: their ends are not written either.
    passed_over: HashMap<String, usize>,
    formatting_open: usize,
    elements_left: usize,
    /// Lower-case names whose end tag does not occur any more: looked for once.
    without_end: HashSet<String>,
}

/// A tag without its brackets.
struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    is_end: bool,
}

impl<'a> Guard<'a> {
    fn run(&mut self) {
        while self.at < self.html.len() {
            let rest = &self.html[self.at..];
            let text_end = memchr(b'<', rest.as_bytes()).unwrap_or(rest.len());
            self.text(&rest[..text_end]);
            self.at += text_end;
            if self.at < self.html.len() {
                self.markup();
            }
        }
    }

    fn text(&mut self, text: &str) {
        if text.contains([FORMULA_START, FORMULA_END, '\0']) {
            self.out.html.push_str(&text.replace([FORMULA_START, FORMULA_END, '\0'], ""));
        } else {
            self.out.html.push_str(text);
        }
    }

    /// What begins with `<` here.
    fn markup(&mut self) {
        let rest = &self.html[self.at..];
        if rest.starts_with("<!--") {
            self.skip_past("-->", 4);
        } else if rest.starts_with("<!") || rest.starts_with("<?") {
            self.skip_past(">", 2);
        } else if let Some(tag) = self.tag() {
            if tag.is_end { self.end(&tag) } else { self.start(&tag) }
        } else {
            self.out.html.push_str("&lt;");
            self.at += 1;
        }
    }

    fn skip_past(&mut self, end: &str, from: usize) {
        let rest = &self.html.as_bytes()[self.at + from..];
        let found = memmem::find(rest, end.as_bytes());
        self.at = found.map_or(self.html.len(), |place| self.at + from + place + end.len());
    }

    /// Reads a tag and moves behind it. `None` if this `<` begins none.
    fn tag(&mut self) -> Option<Tag<'a>> {
        let bytes = self.html.as_bytes();
        let is_end = bytes.get(self.at + 1) == Some(&b'/');
        let name_start = self.at + 1 + usize::from(is_end);
        if !bytes.get(name_start)?.is_ascii_alphabetic() {
            return None;
        }
        let is_name = |byte: &u8| !byte.is_ascii_whitespace() && !b"/><\"'=".contains(byte);
        let name_len = bytes[name_start..].iter().take_while(|byte| is_name(byte)).count();
        let name_end = name_start + name_len;
        let end = tag_end(bytes, name_end);
        self.at = (end + 1).min(bytes.len());
        let (name, attributes) = (&self.html[name_start..name_end], &self.html[name_end..end]);
        Some(Tag { name, attributes, is_end })
    }

    fn start(&mut self, tag: &Tag<'a>) {
        let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(tag.name));
        if is(&["script"]) {
            return self.script(tag);
        }
        if is(&["title"]) {
            let title = self.content("title");
            self.out.title.get_or_insert_with(|| plain(title));
            return;
        }
        if is(&["math"]) {
            return self.math();
        }
        if is(&DROPPED) {
            self.content(tag.name);
            return;
        }
        if is(&PASSED_OVER) {
            return;
        }
        self.imply_ends(tag.name);
        let is_void = is(&VOID);
        let formatting = is(&FORMATTING);
        let again = formatting && self.open.iter().any(|open| open.eq_ignore_ascii_case(tag.name));
        // Each unclosed formatting element is built again in every later block.
        let cost = 1 + self.formatting_open;
        let too_deep = !is_void && (self.open.len() >= MAX_DEPTH || self.indents(tag.name));
        if again || too_deep || self.elements_left < cost {
            if !is_void {
                *self.passed_over.entry(tag.name.to_ascii_lowercase()).or_default() += 1;
            }
            return;
        }
        self.elements_left -= cost;
        if !is_void {
            self.open.push(tag.name);
            self.formatting_open += usize::from(formatting);
        }
        self.write(tag);
    }

    /// Whether this is one list or quotation too many inside the others. Markdown writes their
    /// indentation on every line, so the text would grow with the depth.
    fn indents(&self, name: &str) -> bool {
        let indents = |name: &str| INDENTING.iter().any(|known| known.eq_ignore_ascii_case(name));
        indents(name) && self.open.iter().filter(|open| indents(open)).count() >= MAX_INDENTS
    }

    /// Closes what this start tag ends without saying so: `<li>` the item before it.
    fn imply_ends(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        let group: (&[&str], &[&str]) = match name.as_str() {
            "li" => (&["li"], &["ul", "ol", "menu"]),
            "dt" | "dd" => (&["dt", "dd"], &["dl"]),
            "option" => (&["option"], &["select"]),
            "tr" => (&["tr"], &["table"]),
            "td" | "th" => (&["td", "th"], &["tr", "table"]),
            "thead" | "tbody" | "tfoot" => (&["thead", "tbody", "tfoot"], &["table"]),
            name if BLOCKS.contains(&name) => (&["p"], &["div", "td", "li", "table", "section"]),
            _ => return,
        };
        let is = |names: &[&str], open: &str| names.iter().any(|n| n.eq_ignore_ascii_case(open));
        let place = self.open.iter().rposition(|open| is(group.0, open) || is(group.1, open));
        if let Some(place) = place.filter(|place| is(group.0, self.open[*place])) {
            self.close(place);
        }
    }

    fn write(&mut self, tag: &Tag<'_>) {
        let html = &mut self.out.html;
        html.push('<');
        html.push_str(tag.name);
        let mut written = [false; ATTRIBUTES.len()];
        for (name, value) in Attributes(tag.attributes) {
            let known = ATTRIBUTES.iter().position(|known| known.eq_ignore_ascii_case(name));
            if let Some(index) = known
                && !written[index]
                && (name.len() != 5 || !name.eq_ignore_ascii_case("style") || hides(value))
            {
                written[index] = true;
                let value = value.replace('"', "&quot;");
                html.extend([" ", ATTRIBUTES[index], "=\"", value.as_str(), "\""]);
            }
        }
        html.push('>');
    }

    fn end(&mut self, tag: &Tag<'a>) {
        let name = tag.name.to_ascii_lowercase();
        if let Some(count) = self.passed_over.get_mut(&name)
            && *count > 0
        {
            *count -= 1;
            return;
        }
        // An end without a beginning says nothing, except that a line may end here.
        let Some(place) = self.open.iter().rposition(|open| open.eq_ignore_ascii_case(&name))
        else {
            return;
        };
        self.close(place);
    }

    /// Closes all elements from `place` on. Formatting elements would survive the block that they
    /// were opened in, so they are closed with it.
    fn close(&mut self, place: usize) {
        for open in self.open.drain(place..).rev() {
            let formatting = FORMATTING.iter().any(|name| name.eq_ignore_ascii_case(open));
            self.formatting_open -= usize::from(formatting);
            self.out.html.extend(["</", open, ">"]);
        }
    }

    /// The raw content up to the end tag of `name`; moves behind it.
    fn content(&mut self, name: &str) -> &'a str {
        let key = name.to_ascii_lowercase();
        if self.without_end.contains(&key) {
            return "";
        }
        let rest = &self.html[self.at..];
        let mut from = 0;
        while let Some(found) = memmem::find(&rest.as_bytes()[from..], b"</") {
            let start = from + found;
            let after = &rest.as_bytes()[start + 2..];
            let named =
                after.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()));
            let ends = after.get(name.len()).is_none_or(|b| !b.is_ascii_alphanumeric());
            if named && ends {
                let end = memchr(b'>', after).map_or(rest.len(), |place| start + 2 + place + 1);
                self.at += end;
                return &rest[..start];
            }
            from = start + 2;
        }
        // No end: the element ends where it began, or one unclosed tag would swallow the page.
        self.without_end.insert(key);
        ""
    }

    fn script(&mut self, tag: &Tag<'_>) {
        let is_math = tag.attributes.contains("math/tex");
        let is_display = tag.attributes.contains("mode=display");
        let content = self.content("script").trim();
        if is_math && !content.is_empty() {
            self.formula(content, is_display);
        }
    }

    fn math(&mut self) {
        let content = self.content("math");
        let annotation = content.find("application/x-tex").and_then(|start| {
            let (_, after) = content[start..].split_once('>')?;
            Some(after.split_once('<').map_or(after, |(tex, _)| tex))
        });
        match annotation.map(plain) {
            Some(tex) if !tex.is_empty() => self.formula(&tex, false),
            _ => {
                let text = without_tags(content);
                self.text(&text);
            }
        }
    }

    fn formula(&mut self, tex: &str, is_display: bool) {
        let number = self.out.formulas.len();
        let dollars = if is_display { "$$" } else { "$" };
        self.out.formulas.push(format!("{dollars}{tex}{dollars}"));
        self.out.html.push_str(&format!("{FORMULA_START}{number}{FORMULA_END}"));
    }
}
