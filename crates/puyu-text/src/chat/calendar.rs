//! A date and time of day, given by the caller, and its `strftime`.

use crate::error::ChatError;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// Whether a number is filled up to its usual width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Padding {
    Full,
    Bare,
}

/// A local date and time of day, as the writer of a prompt sees it on the wall.
///
/// # Examples
///
/// ```
/// use puyu_text::CalendarTime;
///
/// let time = CalendarTime::new(2024, 7, 4)?.at(15, 30, 0)?;
/// assert_eq!(time.format("%d %b %Y, %H:%M"), "04 Jul 2024, 15:30");
/// # Ok::<(), puyu_text::ChatError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarTime {
    year: i32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl CalendarTime {
    /// Midnight of a day of the Gregorian calendar. Months and days count from 1.
    ///
    /// # Errors
    ///
    /// [`ChatError::BadTime`] for a day that does not exist, or a year outside of 1 to 9999.
    pub fn new(year: i32, month: u32, day: u32) -> Result<Self, ChatError> {
        if !(1..=9999).contains(&year) {
            return Err(ChatError::BadTime { field: "year", found: year });
        }
        check("month", month, 1, 12)?;
        check("day", day, 1, days_in(year, month))?;
        Ok(Self { year, month, day, hour: 0, minute: 0, second: 0 })
    }

    /// The same day at another time.
    ///
    /// # Errors
    ///
    /// [`ChatError::BadTime`].
    pub fn at(self, hour: u32, minute: u32, second: u32) -> Result<Self, ChatError> {
        check("hour", hour, 0, 23)?;
        check("minute", minute, 0, 59)?;
        check("second", second, 0, 60)?;
        Ok(Self { hour, minute, second, ..self })
    }

    /// Formats as C's `strftime` does in English, with the marks `%Y %y %m %d %e %j %B %b %A %a %H
    /// %I %M %S %p %F %T %%` and `-` for no padding. Other marks stay as they are.
    pub fn format(&self, pattern: &str) -> String {
        let mut out = String::with_capacity(pattern.len() * 2);
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            if character != '%' {
                out.push(character);
                continue;
            }
            let padding = match characters.next_if_eq(&'-') {
                Some(_) => Padding::Bare,
                None => Padding::Full,
            };
            let mark = characters.next();
            match mark.and_then(|mark| self.value_of(mark, padding)) {
                Some(text) => out.push_str(&text),
                None => {
                    out.push_str(if padding == Padding::Bare { "%-" } else { "%" });
                    out.extend(mark);
                }
            }
        }
        out
    }

    fn value_of(&self, mark: char, padding: Padding) -> Option<String> {
        let width = |width: usize| if padding == Padding::Bare { 1 } else { width };
        let number = |value: u32, digits: usize| format!("{value:0width$}", width = width(digits));
        let weekday = WEEKDAYS[self.weekday()];
        let month = MONTHS[self.month as usize - 1];
        Some(match mark {
            'Y' => format!("{:04}", self.year),
            'y' => number(self.year.unsigned_abs() % 100, 2),
            'm' => number(self.month, 2),
            'd' => number(self.day, 2),
            'e' => format!("{:width$}", self.day, width = width(2)),
            'j' => number(self.day_of_year(), 3),
            'B' => month.to_owned(),
            'b' | 'h' => month[..3].to_owned(),
            'A' => weekday.to_owned(),
            'a' => weekday[..3].to_owned(),
            'H' => number(self.hour, 2),
            'I' => number((self.hour + 11) % 12 + 1, 2),
            'M' => number(self.minute, 2),
            'S' => number(self.second, 2),
            'p' => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
            'F' => self.format("%Y-%m-%d"),
            'T' => self.format("%H:%M:%S"),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }

    fn day_of_year(&self) -> u32 {
        (1..self.month).map(|month| days_in(self.year, month)).sum::<u32>() + self.day
    }

    /// Days since Sunday. The first of January of the year 1 was a Monday.
    fn weekday(&self) -> usize {
        let years = self.year.unsigned_abs() - 1;
        let leap_days = years / 4 - years / 100 + years / 400;
        ((years * 365 + leap_days + self.day_of_year()) % 7) as usize
    }
}

fn check(field: &'static str, found: u32, least: u32, most: u32) -> Result<(), ChatError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    Err(ChatError::BadTime { field, found: i32::try_from(found).unwrap_or(i32::MAX) })
}

fn days_in(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}
