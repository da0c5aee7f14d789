//! The arithmetic of a long list with rows of one height.

use crate::board::WINDOW;

/// Rows that are drawn above the first one that is seen, so that scrolling up meets them.
const ABOVE: u32 = 12;

/// The first row to draw if the list is scrolled to `top` and each row is `height` high, in pixels.
///
/// Moves in steps, so that scrolling by a pixel changes nothing.
pub(crate) fn first_row(top: f64, height: f64) -> u32 {
    const STEP: u32 = 6;
    if !(height >= 1.0 && top >= 0.0) {
        return 0;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; a cast saturates"
    )]
    let seen = (top / height) as u32;
    seen.saturating_sub(ABOVE) / STEP * STEP
}

/// How many rows stand, not drawn, above and below the window that begins at `first`.
pub(crate) fn spacers(first: u32, count: u32) -> (u32, u32) {
    let above = first.min(count);
    (above, count.saturating_sub(above).saturating_sub(WINDOW))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_is_always_drawn() {
        let (height, count) = (64.0, 10_000);
        for top in (0..640_000).step_by(37) {
            let top = f64::from(top);
            let first = first_row(top, height);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "positive and small"
            )]
            let seen = (top / height) as u32;
            assert!(first <= seen, "{top}");
            // A list of 1 700 pixels, and some rows more.
            assert!(first + WINDOW >= (seen + 28).min(count), "{top}");
        }
    }

    #[test]
    fn scrolling_by_a_pixel_draws_nothing_anew() {
        let drawn: std::collections::BTreeSet<u32> = (0..64_000)
            .map(|top| first_row(f64::from(top), 64.0))
            .collect();
        assert!(drawn.len() <= 1000 / 6 + 1, "{}", drawn.len());
    }

    #[test]
    fn nonsense_from_the_browser_is_the_top() {
        for (top, height) in [(f64::NAN, 64.0), (-5.0, 64.0), (1e9, 0.0), (5.0, f64::NAN)] {
            assert_eq!(first_row(top, height), 0);
        }
        assert_eq!(first_row(f64::INFINITY, 1.0) % 6, 0);
    }

    #[test]
    fn rows_drawn_and_not_drawn_are_all_rows() {
        for (first, count) in [
            (0, 0),
            (0, 3),
            (0, 50),
            (0, 51),
            (6, 60),
            (9_950, 10_000),
            (20_000, 10_000),
        ] {
            let (above, below) = spacers(first, count);
            let drawn = count - above - below;
            assert!(drawn <= WINDOW);
            assert_eq!(above + drawn + below, count);
        }
        assert_eq!(spacers(9_950, 10_000), (9_950, 0));
        assert_eq!(spacers(0, 50), (0, 0));
    }
}
