//! Dates, as HTTP and people write them. The calendar is the Gregorian one, everything is UTC.

use crate::time::UnixMillis;
use core::fmt;

/// A second of the Unix era, shown as `2026-10-31 12:00:00 UTC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc(pub i64);

/// A second of the Unix era, shown as HTTP's header `Date` has it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpDate(pub i64);

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 86_400;

/// Beyond this the year would not have four digits.
const SECONDS: core::ops::Range<i64> = -62_167_219_200..253_402_300_800;

/// Year, month from 1, day from 1.
fn civil(days: i64) -> (i64, i64, i64) {
    // Eras of 400 years, and years that begin in March: then a leap day is the last day of its year.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, of_month)
}

/// The days from the beginning of the Unix era.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !SECONDS.contains(&self.0) {
            return write!(f, "second {} of the Unix era", self.0);
        }
        let (year, month, day) = civil(self.0.div_euclid(DAY));
        let second = self.0.rem_euclid(DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC", second % 60)
    }
}

impl fmt::Display for HttpDate {
    /// Moments outside the years that have four digits are shown as the nearest one inside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.clamp(SECONDS.start, SECONDS.end - 1);
        let (year, month, day) = civil(at.div_euclid(DAY));
        let weekday = DAYS.get(at.div_euclid(DAY).rem_euclid(7) as usize).copied().unwrap_or_default();
        let month = MONTHS.get((month - 1) as usize).copied().unwrap_or_default();
        let second = at.rem_euclid(DAY);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{:02} GMT", second % 60)
    }
}

/// Reads a header `Date` in the one form that servers still write; the day of the week is not checked.
pub fn http_date(text: &str) -> Option<UnixMillis> {
    let (_, rest) = text.trim().split_once(", ")?;
    let rest = rest.strip_suffix(" GMT")?;
    let mut parts = rest.split(' ');
    let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let mut clock = clock.split(':');
    let mut number = |limit: i64| digits(clock.next()?, 2).filter(|number| *number < limit);
    let (hour, minute, second) = (number(24)?, number(60)?, number(61)?);
    let day = digits(day, 2).filter(|day| (1..=31).contains(day))?;
    let year = digits(year, 4)?;
    Some(UnixMillis((days(year, month, day) * DAY + hour * 3600 + minute * 60 + second) * 1000))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn check(seconds: i64, utc: &str, http: &str) {
        assert_eq!(Utc(seconds).to_string(), utc);
        assert_eq!(HttpDate(seconds).to_string(), http);
        assert_eq!(http_date(http), Some(UnixMillis(seconds * 1000)));
    }

    #[test]
    fn dates_are_written_and_read() {
        check(0, "1970-01-01 00:00:00 UTC", "Thu, 01 Jan 1970 00:00:00 GMT");
        check(784_111_777, "1994-11-06 08:49:37 UTC", "Sun, 06 Nov 1994 08:49:37 GMT");
        check(951_782_400, "2000-02-29 00:00:00 UTC", "Tue, 29 Feb 2000 00:00:00 GMT");
        check(4_107_542_399, "2100-02-28 23:59:59 UTC", "Sun, 28 Feb 2100 23:59:59 GMT");
        check(4_107_542_400, "2100-03-01 00:00:00 UTC", "Mon, 01 Mar 2100 00:00:00 GMT");
        check(-1, "1969-12-31 23:59:59 UTC", "Wed, 31 Dec 1969 23:59:59 GMT");
        assert_eq!(Utc(i64::MAX).to_string(), "second 9223372036854775807 of the Unix era");
    }

    #[test]
    fn there_and_back_for_each_day_of_a_long_time() {
        for day in -800_000..=2_900_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
        ] {
            assert_eq!(http_date(text), None, "{text}");
        }
    }
}
