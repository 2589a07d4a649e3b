//! Tables for terminals and Markdown.

use std::fmt;

use unicode_width::UnicodeWidthStr;

/// Columns that text occupies in a terminal: 2 for a Chinese character.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// At the left.
    #[default]
    Left,
    /// At the right, for numbers.
    Right,
}

/// A table with one head line. Its `Display` is also valid Markdown.
///
/// ```
/// use puyu_dataset::report::{Align, Table};
///
/// let mut table = Table::new(["语言", "documents"]).with_alignment([Align::Left, Align::Right]);
/// table.push(["中文", "1200"]);
/// table.push(["English", "34"]);
/// assert_eq!(table.to_string(), "\
/// | 语言    | documents |
/// | :------ | --------: |
/// | 中文    |      1200 |
/// | English |        34 |
/// ");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    head: Vec<String>,
    alignment: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column heads, all aligned left.
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let head: Vec<String> = head.into_iter().map(|cell| clean(&cell.into())).collect();
        Self { alignment: vec![Align::Left; head.len()], head, rows: Vec::new() }
    }

    /// Aligns the columns; those not named stay at the left.
    #[must_use]
    pub fn with_alignment(mut self, alignment: impl IntoIterator<Item = Align>) -> Self {
        for (mine, given) in self.alignment.iter_mut().zip(alignment) {
            *mine = given;
        }
        self
    }

    /// Adds a row. Missing cells are empty.
    ///
    /// # Panics
    ///
    /// If there are more cells than columns.
    pub fn push(&mut self, row: impl IntoIterator<Item = impl Into<String>>) {
        let mut row: Vec<String> = row.into_iter().map(|cell| clean(&cell.into())).collect();
        assert!(row.len() <= self.head.len(), "a row has at most one cell per column");
        row.resize(self.head.len(), String::new());
        self.rows.push(row);
    }

    /// How many rows there are below the head.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Keeps a cell on its line, in its column, and free of terminal commands.
fn clean(cell: &str) -> String {
    cell.replace('|', "¦").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| all().map(|row| width(&row[column])).max().unwrap_or(0).max(2))
            .collect();
        for (index, row) in all().enumerate() {
            for ((cell, columns), align) in row.iter().zip(&widths).zip(&self.alignment) {
                let space = " ".repeat(columns - width(cell));
                match align {
                    Align::Left => write!(f, "| {cell}{space} ")?,
                    Align::Right => write!(f, "| {space}{cell} ")?,
                }
            }
            writeln!(f, "|")?;
            if index == 0 {
                for (columns, align) in widths.iter().zip(&self.alignment) {
                    let dashes = "-".repeat(columns - 1);
                    match align {
                        Align::Left => write!(f, "| :{dashes} ")?,
                        Align::Right => write!(f, "| {dashes}: ")?,
                    }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
