//! Whether a change that helped some turns and hurt others is more than chance.

/// Two-sided exact sign test, which for paired yes/no answers is McNemar's exact test: the
/// probability of counts at least as lopsided as `better` and `worse` if each turn that changed
/// were as likely to get better as worse. 1 when nothing changed.
///
/// McNemar, 1947; the exact form as in Fagerland, Lydersen and Laake, 2013.
pub fn sign_test(better: usize, worse: usize) -> f64 {
    let changed = better + worse;
    let fewer = better.min(worse);
    // Sums C(n, k) / 2^n for k up to `fewer`, in logarithms: 2^n has no float from n = 1024 on.
    let mut log_term = -(changed as f64) * std::f64::consts::LN_2;
    let mut tail = 0.0;
    for k in 0..=fewer {
        tail += log_term.exp();
        log_term += ((changed - k) as f64 / (k + 1) as f64).ln();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is(better: usize, worse: usize, p: f64) {
        let found = sign_test(better, worse);
        assert!((found - p).abs() < 1e-9, "{better}:{worse} gives {found}");
    }

    #[test]
    fn known_values() {
        is(0, 0, 1.0);
        is(1, 0, 1.0);
        is(5, 0, 0.0625);
        is(10, 0, 2.0 / 1024.0);
        is(1, 9, 22.0 / 1024.0);
        is(7, 7, 1.0);
    }

    #[test]
    fn thousands_of_changes_still_have_a_probability() {
        assert!(sign_test(2000, 2000) == 1.0);
        let p = sign_test(2100, 1900);
        assert!(p > 0.0005 && p < 0.01, "{p}");
    }

    proptest! {
        #[test]
        fn it_is_a_probability_and_knows_no_sides(better in 0_usize..300, worse in 0_usize..300) {
            let p = sign_test(better, worse);
            prop_assert!(p > 0.0 && p <= 1.0);
            prop_assert_eq!(p, sign_test(worse, better));
        }
    }
}
