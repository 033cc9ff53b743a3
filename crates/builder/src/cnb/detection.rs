//! Detection: which group of buildpacks builds an app. It says which program to run next, is told how
//! that ended, and ends with a group or with the reasons why there is none.

use super::descriptor::Descriptor;
use super::order::Slot;
use super::plan::{self, Misfit, Passed, Plan, Resolved};
use std::collections::BTreeMap;
use std::fmt;

/// The status by which `bin/detect` says that a buildpack is not for this app.
const FAIL: i32 = 100;

/// How one buildpack fared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fared {
    Passed(Vec<Plan>),
    /// It is not for this app.
    Failed,
    /// Its program ended with this status.
    Error(i32),
    /// It is for another platform.
    Elsewhere(String),
    /// Its build plan cannot be read.
    BadPlan(String),
}

impl Fared {
    /// From the status of `bin/detect` and the plan that it wrote.
    pub(crate) fn of(status: i32, plan: &str) -> Self {
        match status {
            0 => plan::parse(plan).map_or_else(Self::BadPlan, Self::Passed),
            FAIL => Self::Failed,
            status => Self::Error(status),
        }
    }

    /// Whether it is the buildpack that is at fault.
    fn is_fault(&self) -> bool {
        matches!(self, Self::Error(_) | Self::BadPlan(_))
    }
}

impl fmt::Display for Fared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(_) => formatter.write_str("pass"),
            Self::Failed => formatter.write_str("fail"),
            Self::Error(status) => write!(formatter, "error: bin/detect ended with status {status}"),
            Self::Elsewhere(targets) => write!(formatter, "not for this stack, but for {targets}"),
            Self::BadPlan(why) => write!(formatter, "error: its build plan is not valid: {why}"),
        }
    }
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// To run `bin/detect` of this component, and tell.
    Run(usize),
    /// To build with these.
    Build(Resolved),
    /// There is no group that passes.
    Nothing(Report),
}

/// What became of every buildpack, for the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One line each: buildpacks, and groups whose plans do not work out.
    pub(crate) lines: Vec<String>,
    /// Whether some buildpack is at fault, rather than that none fits.
    pub(crate) is_fault: bool,
}

/// A detection under way.
#[derive(Debug)]
pub(crate) struct Detection {
    groups: Vec<Vec<Slot>>,
    current: usize,
    fared: BTreeMap<usize, Fared>,
    /// Why groups whose programs passed were not taken.
    misfits: Vec<Misfit>,
}

impl Detection {
    pub(crate) fn new(groups: Vec<Vec<Slot>>) -> Self {
        Self { groups, current: 0, fared: BTreeMap::new(), misfits: Vec::new() }
    }

    /// Notes how a component fared, which is asked once for all groups.
    pub(crate) fn record(&mut self, component: usize, fared: Fared) {
        self.fared.insert(component, fared);
    }

    /// What is to be done now.
    pub(crate) fn next(&mut self, catalog: &[Descriptor]) -> Next {
        while let Some(group) = self.groups.get(self.current) {
            if let Some(slot) = group.iter().find(|slot| !self.fared.contains_key(&slot.component)) {
                return Next::Run(slot.component);
            }
            if let Some(resolved) = self.try_group(self.current) {
                return Next::Build(resolved);
            }
            self.current += 1;
        }
        Next::Nothing(self.report(catalog))
    }

    fn try_group(&mut self, number: usize) -> Option<Resolved> {
        let mut passed = Vec::new();
        for slot in &self.groups[number] {
            match &self.fared[&slot.component] {
                Fared::Passed(plans) => {
                    passed.push(Passed { component: slot.component, optional: slot.optional, plans });
                }
                _ if slot.optional => {}
                _ => return None,
            }
        }
        if passed.is_empty() {
            return None;
        }
        match plan::resolve(&passed) {
            Ok(resolved) => Some(resolved),
            Err(misfit) => {
                self.misfits.push(misfit);
                None
            }
        }
    }

    fn report(&mut self, catalog: &[Descriptor]) -> Report {
        let name = |component: usize| catalog.get(component).map(Descriptor::shown).unwrap_or_default();
        let mut lines: Vec<_> =
            self.fared.iter().map(|(component, fared)| format!("{}: {fared}", name(*component))).collect();
        self.misfits.sort();
        self.misfits.dedup();
        lines.extend(self.misfits.iter().map(|misfit| match misfit {
            Misfit::Requires { component, name: what } => {
                format!("{} requires {what}, which no buildpack before it provides", name(*component))
            }
            Misfit::Provides { component, name: what } => {
                format!("{} provides {what}, which no buildpack requires", name(*component))
            }
            Misfit::TooMany => "the build plans have too many alternatives".to_owned(),
        }));
        Report { lines, is_fault: self.fared.values().any(Fared::is_fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(count: usize) -> Vec<Descriptor> {
        let one = |n| format!("api = \"0.10\"\n[buildpack]\nid = \"b{n}\"\nversion = \"1.0.0\"");
        (0..count).map(|n| Descriptor::parse(&one(n)).unwrap()).collect()
    }

    /// Groups like `0 1? | 2`, and what each program ends with; tells what was run and the outcome.
    fn detect(groups: &str, fares: &[(i32, &str)]) -> (Vec<usize>, Result<Vec<usize>, Report>) {
        let slot = |word: &str| Slot {
            component: word.trim_end_matches('?').parse().unwrap(),
            optional: word.ends_with('?'),
        };
        let groups = groups.split('|').map(|group| group.split_whitespace().map(slot).collect());
        let mut detection = Detection::new(groups.collect());
        let catalog = catalog(fares.len());
        let mut run = Vec::new();
        loop {
            match detection.next(&catalog) {
                Next::Run(component) => {
                    run.push(component);
                    let (status, plan) = fares[component];
                    detection.record(component, Fared::of(status, plan));
                }
                Next::Build(resolved) => return (run, Ok(resolved.components)),
                Next::Nothing(report) => return (run, Err(report)),
            }
        }
    }

    const X: &str = "[[provides]]\nname = \"x\"\n";
    const WANTS_X: &str = "[[requires]]\nname = \"x\"\n";

    #[test]
    fn the_first_group_that_passes_is_taken() {
        for (groups, fares, run, built) in [
            ("0 1", &[(0, ""), (0, "")][..], &[0, 1][..], &[0, 1][..]),
            ("0 1? | 1", &[(0, ""), (100, "")], &[0, 1], &[0]),
            ("0 1? 2 | 1", &[(100, ""), (0, ""), (0, "")], &[0, 1, 2], &[1]),
            ("0? 1? | 2", &[(100, ""), (100, ""), (0, "")], &[0, 1, 2], &[2]),
            ("0 1 | 0", &[(0, ""), (0, WANTS_X)], &[0, 1], &[0]),
            ("0 1", &[(0, X), (0, WANTS_X)], &[0, 1], &[0, 1]),
            ("0? 1", &[(3, ""), (0, "")], &[0, 1], &[1]),
        ] {
            assert_eq!(detect(groups, fares), (run.to_vec(), Ok(built.to_vec())), "{groups}");
        }
    }

    #[test]
    fn the_fate_of_each_is_told() {
        let (_, failed) = detect("0 1 | 2", &[(0, ""), (100, ""), (7, "")]);
        let failed = failed.unwrap_err();
        assert_eq!(
            failed.lines,
            ["b0 1.0.0: pass", "b1 1.0.0: fail", "b2 1.0.0: error: bin/detect ended with status 7"]
        );
        assert!(failed.is_fault);
        let (_, failed) = detect("0 | 1", &[(0, X), (0, WANTS_X)]);
        let failed = failed.unwrap_err();
        assert_eq!(
            failed.lines[2..],
            [
                "b1 1.0.0 requires x, which no buildpack before it provides",
                "b0 1.0.0 provides x, which no buildpack requires"
            ]
        );
        assert!(!failed.is_fault);
        let (_, failed) = detect("0", &[(0, "provides = 1")]);
        assert!(
            failed.unwrap_err().lines[0].starts_with("b0 1.0.0: error: its build plan is not valid: line 1")
        );
        assert_eq!(detect("", &[]).1.unwrap_err().lines, [""; 0]);
    }
}
