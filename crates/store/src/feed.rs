//! The change feed: one counter for each table and one for all, moved after a commit.

use tokio::sync::watch;

/// A group of rows that change together, by which a reader of the feed says what concerns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Accounts,
    /// Add-ons with their attachments, credentials and instances.
    Addons,
    /// Apps with their config vars, features, buildpacks and collaborators.
    Apps,
    AppSetups,
    Builds,
    Chores,
    Domains,
    Drains,
    Dynos,
    Formation,
    /// Bad news that people are still to be told.
    Notices,
    /// Partners, and the tokens that they have.
    Partners,
    /// Searches of logs that are kept.
    Papertrail,
    Releases,
    /// Jobs of the scheduler and their runs.
    Scheduler,
    Slugs,
    Sources,
    /// Transfers of add-ons' data, and schedules of backups.
    Transfers,
    /// Webhooks, what they are told, and how apps were.
    Webhooks,
}

const TABLES: usize = Table::Webhooks as usize + 1;

/// The sending side.
pub(crate) struct Feed {
    any: watch::Sender<u64>,
    each: [watch::Sender<u64>; TABLES],
}

impl Feed {
    pub(crate) fn new() -> Self {
        Self { any: watch::Sender::new(0), each: std::array::from_fn(|_| watch::Sender::new(0)) }
    }

    pub(crate) fn any(&self) -> watch::Receiver<u64> {
        self.any.subscribe()
    }

    pub(crate) fn of(&self, table: Table) -> watch::Receiver<u64> {
        self.each[table as usize].subscribe()
    }

    /// Tells the readers of every table in `touched`.
    pub(crate) fn publish(&self, touched: Touched) {
        if touched.0 == 0 {
            return;
        }
        for (index, sender) in self.each.iter().enumerate() {
            if touched.0 & (1 << index) != 0 {
                sender.send_modify(|count| *count += 1);
            }
        }
        self.any.send_modify(|count| *count += 1);
    }
}

/// Which tables a transaction has written to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Touched(u32);

impl Touched {
    pub(crate) fn add(&mut self, table: Table) {
        self.0 |= 1 << table as usize;
    }
}
