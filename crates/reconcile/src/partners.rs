//! Asks partners for what add-ons of their services need: orders, other plans, and that they take back
//! what is given up.
//!
//! What is due follows from rows, so a question whose answer a killed server did not write down is asked
//! again; partners must find their work done. An answer is used as a whole or not at all.

mod call;

pub(crate) use call::Caller;

use crate::driver::{Loop, Nudge, Turn};
use crate::error::{Result, chain};
use addons::partner::{self, Given, Order, Trouble};
use async_trait::async_trait;
use domain::{AddonId, AddonState};
use ops::Ops;
use ops::partners::Task;
use planner::partners::{Action, Settings, plan, retry_at};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Questions to one partner at a time. Others do not wait for one that is slow.
const AT_ONCE: usize = 4;

/// The region that partners are told, for which Heroku's word stands.
const REGION: &str = "amazon-web-services::us-east-1";

/// The loop.
pub(crate) struct Partners {
    pub(crate) worker: Worker,
    pub(crate) nudge: Nudge,
    pub(crate) children: TaskTracker,
}

/// What does the work; cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) ops: Ops,
    pub(crate) caller: Caller,
    pub(crate) settings: Settings,
    pub(crate) shutdown: CancellationToken,
    pub(crate) busy: Arc<Mutex<Busy>>,
}

/// What is being asked at this moment. Forgotten with the server; then all of it is asked again.
#[derive(Default)]
pub(crate) struct Busy {
    addons: BTreeSet<AddonId>,
    turns: BTreeMap<String, Arc<Semaphore>>,
}

#[async_trait]
impl Loop for Partners {
    fn name(&self) -> &'static str {
        "partners"
    }

    fn period(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run_once(&mut self) -> Result<Turn> {
        let mut tx = self.worker.ops.store().read().await?;
        let mut all = Vec::new();
        for resource in store::resources::list(&mut tx).await? {
            let addon = store::addons::by_id(&mut tx, resource.addon).await?;
            all.extend(addon.map(|addon| (addon, resource)));
        }
        drop(tx);
        let busy = self.worker.with(|busy| busy.addons.clone());
        let found = plan(&self.worker.settings, &all, &busy, self.worker.ops.now());
        for action in &found.actions {
            self.apply(*action).await?;
        }
        let detail = json!({ "addons": all.len(), "actions": found.actions.len(), "asking": busy.len() });
        Ok(Turn { detail, next: found.next })
    }
}

impl Partners {
    async fn apply(&self, action: Action) -> Result<()> {
        let ops = &self.worker.ops;
        match action {
            Action::Order(id) | Action::Change(id) | Action::GiveBack(id) => self.ask(id),
            Action::Fail(id) => self.worker.fail(id).await?,
            Action::Late(id) => {
                let why = "its service has not made it within 12 hours";
                ops::partners::refused(ops, id, why, false, None).await?;
            }
            Action::Stay(id) => ops::partners::stays(ops, id, UNREACHABLE).await?,
            Action::Gone(id) => ops::addons::gone(ops, id, false).await?,
        }
        Ok(())
    }

    /// Asks beside the loop.
    fn ask(&self, id: AddonId) {
        if self.worker.shutdown.is_cancelled() || !self.worker.with(|busy| busy.addons.insert(id)) {
            return;
        }
        let (worker, nudge) = (self.worker.clone(), self.nudge.clone());
        self.children.spawn(async move {
            if let Err(error) = worker.work(id).await {
                tracing::error!(addon = %id, error = chain(&error), "what became of a partner's answer was not written down");
                // Not at once: what failed would mostly fail again.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            worker.with(|busy| busy.addons.remove(&id));
            nudge.now();
        });
    }
}

/// What users are told when a partner fails without words for them.
const UNREACHABLE: &str = "Its service does not do it at the moment. Please try again later";

/// What they are told while it is asked again.
const AGAIN: &str = "Its service does not answer at the moment, and is asked again";

impl Worker {
    fn with<T>(&self, look: impl FnOnce(&mut Busy) -> T) -> T {
        look(&mut self.busy.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks for what an add-on's state says, and writes down what became of it.
    async fn work(&self, id: AddonId) -> Result<()> {
        let Some(task) = ops::partners::task(&self.ops, id).await? else { return Ok(()) };
        let turns = self.with(|busy| {
            let turns = busy.turns.entry(task.partner.name.clone());
            turns.or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone()
        });
        let Ok(_turn) = turns.acquire().await else { return Ok(()) };
        let work = async {
            match task.addon.state {
                AddonState::Provisioning => self.order(&task).await,
                AddonState::Provisioned => self.change(&task).await,
                AddonState::Deprovisioning | AddonState::Failed => self.give_back(&task).await,
            }
        };
        tokio::select! {
            // The next server asks again.
            () = self.shutdown.cancelled() => Ok(()),
            done = work => done,
        }
    }

    async fn order(&self, task: &Task) -> Result<()> {
        let addon = &task.addon;
        let order = Order {
            uuid: addon.id.to_string(),
            name: addon.name.clone(),
            plan: addon.plan.clone(),
            region: REGION.into(),
            options: task.resource.options.clone(),
            callback_url: format!("{}/addons/{}", self.ops.settings().api_origin, addon.id),
            oauth_grant: ops::partners::grant(&self.ops, addon.id).await?,
            log_drain_token: task.contract.reads_logs.then(|| task.resource.drain_token.clone()),
        };
        let answer = self.caller.post(task, &task.contract.base_url, &order).await;
        // An answer that is not used tells all the same what is to be taken back.
        let id = answer.as_ref().ok().and_then(partner::id_of);
        let given = answer.and_then(|answer| partner::ordered(&task.contract, &task.definition, &answer));
        let trouble = match given {
            Ok(given) => match ops::partners::ordered(&self.ops, addon.id, given).await? {
                Ok(()) => return Ok(()),
                Err(why) => Trouble::Broken(why),
            },
            Err(trouble) => trouble,
        };
        tell("order", task, &trouble);
        match trouble {
            Trouble::Refused(why) => Ok(ops::partners::refused(&self.ops, addon.id, &why, true, None).await?),
            Trouble::Broken(_) => {
                Ok(ops::partners::refused(&self.ops, addon.id, UNREACHABLE, false, id).await?)
            }
            Trouble::Later(_) => self.later(task).await,
        }
    }

    async fn change(&self, task: &Task) -> Result<()> {
        let Some(plan) = &task.resource.wanted_plan else { return Ok(()) };
        let url = partner::place(&task.contract.base_url, name_of(task));
        let answer = self.caller.put(task, &url, &json!({ "plan": plan })).await;
        let given = answer.and_then(|answer| partner::changed(&task.contract, &task.definition, &answer));
        let other = |given: &Given| given.id.as_deref().is_some_and(|id| id != name_of(task));
        let trouble = match given {
            Ok(given) if other(&given) => Trouble::Broken("its answer is about another add-on".into()),
            Ok(given) => return Ok(ops::partners::changed(&self.ops, task.addon.id, plan, given).await?),
            Err(trouble) => trouble,
        };
        tell("change", task, &trouble);
        match trouble {
            Trouble::Refused(why) => Ok(ops::partners::stays(&self.ops, task.addon.id, &why).await?),
            Trouble::Broken(_) => Ok(ops::partners::stays(&self.ops, task.addon.id, UNREACHABLE).await?),
            Trouble::Later(_) => self.later(task).await,
        }
    }

    async fn give_back(&self, task: &Task) -> Result<()> {
        let url = partner::place(&task.contract.base_url, name_of(task));
        let answer = self.caller.delete(task, &url).await;
        match answer.and_then(|answer| partner::given_up(&answer)) {
            Ok(()) => Ok(ops::partners::given_back(&self.ops, task.addon.id).await?),
            Err(trouble) => {
                tell("give back", task, &trouble);
                self.later(task).await
            }
        }
    }

    /// The partner has not answered any of the attempts.
    async fn fail(&self, id: AddonId) -> Result<()> {
        Ok(ops::partners::refused(&self.ops, id, UNREACHABLE, false, None).await?)
    }

    async fn later(&self, task: &Task) -> Result<()> {
        let jitter = (uuid::Uuid::new_v4().as_u128() % 1000) as f64 / 1000.0;
        let retry = retry_at(&self.settings, task.addon.attempts, jitter, self.ops.now());
        Ok(ops::addons::later(&self.ops, task.addon.id, AGAIN, retry).await?)
    }
}

/// The partner's name for an add-on. One whose name never came may be there all the same: then it
/// goes by ours, as partners are asked to keep it.
fn name_of(task: &Task) -> &str {
    task.resource.provider_id.as_deref().unwrap_or(&task.order_id)
}

/// What went wrong, for whoever runs the server.
fn tell(question: &str, task: &Task, trouble: &Trouble) {
    let (Trouble::Refused(why) | Trouble::Broken(why) | Trouble::Later(why)) = trouble;
    let (addon, partner) = (&task.addon.name, &task.partner.name);
    tracing::warn!(addon, partner, question, why, "a partner did not do what it was asked for");
}
