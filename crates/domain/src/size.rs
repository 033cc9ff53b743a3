//! Dyno sizes and what each may use. Names and figures follow Heroku's Cedar sizes; CPU shares
//! are relative, as on Heroku's common runtime.

use crate::NameError;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A size a dyno can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DynoSize {
    Eco,
    Basic,
    Standard1X,
    Standard2X,
    PerformanceM,
    PerformanceL,
    PerformanceLRam,
    PerformanceXl,
    Performance2Xl,
}

/// What a size means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeSpec {
    /// As `heroku ps` prints it.
    pub name: &'static str,
    /// Stable id of the size in the API.
    pub id: &'static str,
    /// Memory quota in bytes (R14 above it, R15 at twice it).
    pub memory: u64,
    /// Relative weight for the CPU; 1 is a Standard-1X.
    pub cpu_share: u32,
    /// How much of the machine's CPU at most, in Heroku's "compute" units.
    pub compute: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Whether Heroku would give it a machine of its own; shown by the API only.
    pub dedicated: bool,
    /// Heroku's list price in cents a month, so that costs can be compared; Kigo charges nothing.
    pub cents_per_month: u32,
}

const MIB: u64 = 1 << 20;

impl DynoSize {
    /// Every size, smallest first.
    pub const ALL: [Self; 9] = [
        Self::Eco,
        Self::Basic,
        Self::Standard1X,
        Self::Standard2X,
        Self::PerformanceM,
        Self::PerformanceL,
        Self::PerformanceLRam,
        Self::PerformanceXl,
        Self::Performance2Xl,
    ];

    /// The size a new app's dynos get.
    pub const DEFAULT: Self = Self::Basic;

    /// What this size means.
    pub fn spec(self) -> SizeSpec {
        let spec = |name, id, mib, cpu_share, compute, pids, dedicated, cents_per_month| SizeSpec {
            name,
            id,
            memory: mib * MIB,
            cpu_share,
            compute,
            pids,
            dedicated,
            cents_per_month,
        };
        match self {
            Self::Eco => spec("Eco", "4a4c4d4e-0000-4000-8000-000000000001", 512, 1, 1, 256, false, 500),
            Self::Basic => spec("Basic", "4a4c4d4e-0000-4000-8000-000000000002", 512, 1, 1, 256, false, 700),
            Self::Standard1X => {
                spec("Standard-1X", "4a4c4d4e-0000-4000-8000-000000000003", 512, 1, 1, 256, false, 2500)
            }
            Self::Standard2X => {
                spec("Standard-2X", "4a4c4d4e-0000-4000-8000-000000000004", 1024, 2, 2, 512, false, 5000)
            }
            Self::PerformanceM => spec(
                "Performance-M",
                "4a4c4d4e-0000-4000-8000-000000000005",
                2560,
                12,
                12,
                16384,
                true,
                25000,
            ),
            Self::PerformanceL => spec(
                "Performance-L",
                "4a4c4d4e-0000-4000-8000-000000000006",
                14336,
                50,
                50,
                32768,
                true,
                50000,
            ),
            Self::PerformanceLRam => spec(
                "Performance-L-RAM",
                "4a4c4d4e-0000-4000-8000-000000000007",
                30720,
                24,
                24,
                32768,
                true,
                50000,
            ),
            Self::PerformanceXl => spec(
                "Performance-XL",
                "4a4c4d4e-0000-4000-8000-000000000008",
                63488,
                50,
                50,
                32768,
                true,
                75000,
            ),
            Self::Performance2Xl => spec(
                "Performance-2XL",
                "4a4c4d4e-0000-4000-8000-000000000009",
                129_024,
                100,
                100,
                32768,
                true,
                150_000,
            ),
        }
    }
}

impl fmt::Display for DynoSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

impl FromStr for DynoSize {
    type Err = NameError;
    /// Case does not matter, as on Heroku: `standard-1x` and `Standard-1X` are one size.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::ALL.into_iter().find(|size| size.spec().name.eq_ignore_ascii_case(text)).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|size| size.spec().name).collect();
            NameError(format!("No such dyno size as {text}. Use one of {}.", names.join(", ")))
        })
    }
}

impl TryFrom<String> for DynoSize {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<DynoSize> for String {
    fn from(size: DynoSize) -> String {
        size.to_string()
    }
}
