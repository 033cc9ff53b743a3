//! Names that nobody chose: of add-ons (`postgresql-curved-12345`) and of further attachments
//! (`HEROKU_POSTGRESQL_IVORY`), as Heroku makes them.

use rand::seq::IndexedRandom;

const SHAPES: [&str; 32] = [
    "acute",
    "aerodynamic",
    "amorphous",
    "angular",
    "animate",
    "asymmetrical",
    "clean",
    "clear",
    "concave",
    "concentric",
    "contoured",
    "convex",
    "cubed",
    "curly",
    "curved",
    "cylindrical",
    "deep",
    "defined",
    "dimensional",
    "encircled",
    "fitted",
    "flat",
    "flexible",
    "globular",
    "graceful",
    "horizontal",
    "infinite",
    "parallel",
    "regular",
    "rugged",
    "solid",
    "tapered",
];

const COLORS: [&str; 32] = [
    "AMBER", "AQUA", "BLACK", "BLUE", "BRONZE", "BROWN", "CHARCOAL", "COBALT", "COPPER", "CRIMSON", "CYAN",
    "GOLD", "GRAY", "GREEN", "IVORY", "JADE", "MAROON", "MAUVE", "NAVY", "OLIVE", "ONYX", "ORANGE", "PINK",
    "PUCE", "PURPLE", "RED", "ROSE", "SILVER", "TEAL", "VIOLET", "WHITE", "YELLOW",
];

/// `postgresql-curved-12345`, for a service whose add-ons begin with `alias`.
pub fn addon_name(alias: &str) -> String {
    let shape = SHAPES.choose(&mut rand::rng()).copied().unwrap_or(SHAPES[0]);
    format!("{alias}-{shape}-{:05}", rand::random_range(10_000..100_000))
}

/// A colour that `is_free`; with a number once all are taken.
pub fn color(is_free: impl Fn(&str) -> bool) -> String {
    let mut colors = COLORS;
    rand::seq::SliceRandom::shuffle(&mut colors[..], &mut rand::rng());
    if let Some(color) = colors.into_iter().find(|color| is_free(color)) {
        return color.to_owned();
    }
    let mut number = 1_u64;
    loop {
        let name = format!("{}{number}", colors[0]);
        if is_free(&name) {
            return name;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_never_run_out() {
        assert!(domain::addon::check_addon_name(&addon_name("postgresql")).is_ok());
        let mut taken = std::collections::BTreeSet::new();
        for _ in 0..2 * COLORS.len() {
            let color = color(|color| !taken.contains(color));
            assert!(domain::addon::check_attachment_name(&color).is_ok(), "{color}");
            assert!(taken.insert(color));
        }
    }
}
