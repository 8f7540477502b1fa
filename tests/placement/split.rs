//! The split of a listener.

use super::world::client;
use forebay::balance::{HashKey, Split, SplitPoint};

const CLIENTS: u32 = 100_000;

fn points() -> impl Iterator<Item = SplitPoint> {
    (0..CLIENTS).map(|n| SplitPoint::of(&client(n), HashKey::SourceIp))
}

#[test]
fn five_percent_of_100_000_clients_is_5_percent() {
    let split = Split::new(&[95, 5]);
    let green = u32::try_from(points().filter(|point| split.side(*point) == 1).count()).expect("100,000 at most");
    let percent = f64::from(green) * 100.0 / f64::from(CLIENTS);
    assert!((percent - 5.0).abs() <= 0.3, "{percent} %");
}

#[test]
fn from_5_to_10_percent_only_the_added_5_percent_move() {
    let (before, after) = (Split::new(&[95, 5]), Split::new(&[90, 10]));
    let (mut moved, mut back) = (0_u32, 0_u32);
    for point in points() {
        match (before.side(point), after.side(point)) {
            (0, 1) => moved += 1,
            (1, 0) => back += 1,
            _ => {}
        }
    }
    assert_eq!(back, 0, "whoever was on green stays there");
    assert!((f64::from(moved) * 100.0 / f64::from(CLIENTS) - 5.0).abs() <= 0.3, "{moved} moved");
}

#[test]
fn the_whole_line_belongs_to_somebody_and_weight_0_owns_nothing() {
    let split = Split::new(&[0, 3, 0, 1, 0]);
    assert_eq!(split.side(SplitPoint(0)), 1);
    assert_eq!(split.side(SplitPoint((3 << 62) - 1)), 1);
    assert_eq!(split.side(SplitPoint(3 << 62)), 3);
    assert_eq!(split.side(SplitPoint(u64::MAX)), 3);
    assert_eq!(Split::new(&[7]).side(SplitPoint(u64::MAX)), 0);
    assert_eq!(Split::new(&[u32::MAX; 8]).side(SplitPoint(u64::MAX)), 7);
    assert_eq!(Split::new(&[0, 0]).side(SplitPoint(5)), 0);
}

#[test]
fn clients_of_a_usable_side_never_move_and_the_others_are_shared_out_by_weight() {
    let split = Split::new(&[50, 30, 10, 10]);
    let mut counts = [0_u32; 4];
    for point in points() {
        let (home, chosen) = (split.side(point), split.choose(point, |side| side != 0));
        assert_eq!(chosen, split.choose(point, |side| side != 0));
        if home != 0 {
            assert_eq!(chosen, home);
        } else {
            counts[chosen] += 1;
        }
    }
    let displaced: u32 = counts.iter().sum();
    for (side, share) in [(0, 0.0), (1, 0.6), (2, 0.2), (3, 0.2)] {
        let actual = f64::from(counts[side]) / f64::from(displaced);
        assert!((actual - share).abs() < 0.01, "side {side} got {actual} of the displaced");
    }
}

#[test]
fn a_side_of_weight_0_gets_nothing_even_when_all_others_are_down() {
    let split = Split::new(&[100, 0]);
    assert!(points().all(|point| split.choose(point, |side| side == 1) == 0));
}

#[test]
fn without_any_usable_side_a_client_stays_on_its_own() {
    let split = Split::new(&[95, 5]);
    assert!(points().all(|point| split.choose(point, |_| false) == split.side(point)));
}

#[test]
fn the_split_is_independent_of_placement() {
    let split = Split::new(&[50, 50]);
    let table = forebay::balance::StableHash::new("");
    let high = |n: u32| table.flow(&client(n), HashKey::SourceIp) >> 63 == 1;
    let agree = (0..CLIENTS).zip(points()).filter(|(n, point)| high(*n) == (split.side(*point) == 1)).count();
    assert!((49_000..51_000).contains(&agree), "{agree} of 100,000 agree");
}

#[test]
fn the_point_is_shown_as_a_fraction_of_1() {
    assert!(SplitPoint(0).as_fraction().abs() < f64::EPSILON);
    assert!((SplitPoint(1 << 63).as_fraction() - 0.5).abs() < f64::EPSILON);
    assert!(SplitPoint(u64::MAX).as_fraction() < 1.0);
}
