//! Dynos, their sizes and the formation.

use domain::DynoSize;
use ops::dynos::DynoInfo;
use ops::formation::FormationInfo;
use wire::NamedRef;

/// `attach` is `host:port` for the answer that created the dyno, `None` afterwards.
pub(crate) fn dyno(info: &DynoInfo, attach: Option<&str>) -> wire::dyno::Dyno {
    let DynoInfo { dyno, app, release_version } = info;
    let attach_url = attach.zip(dyno.attach_key.as_deref());
    wire::dyno::Dyno {
        id: dyno.id.0,
        app: super::app_ref(app),
        attach_url: attach_url.map(|(host, key)| format!("rendezvous://{host}/{key}")),
        command: dyno.command.clone(),
        name: dyno.name.to_string(),
        release: wire::dyno::ReleaseRef { id: dyno.release.0, version: *release_version },
        size: dyno.size.to_string(),
        state: dyno.state.as_str().into(),
        process_type: dyno.name.process_type.to_string(),
        created_at: dyno.created_at.into(),
        updated_at: dyno.state_changed_at.into(),
    }
}

pub(crate) fn dyno_size(size: DynoSize) -> wire::dyno_size::DynoSize {
    let spec = size.spec();
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let tier = spec.name.split('-').next().unwrap_or(spec.name).to_ascii_lowercase();
    wire::dyno_size::DynoSize {
        id: spec.id.parse().unwrap_or_default(),
        name: spec.name.into(),
        architecture: architecture.into(),
        compute: spec.compute,
        can_autoscale: false,
        cost: Some(wire::dyno_size::Cost { cents: spec.cents_per_month, unit: "month".into() }),
        dedicated: spec.dedicated,
        precise_dyno_units: f64::from(spec.cents_per_month) / 2500.0,
        memory: spec.memory as f64 / f64::from(1 << 30),
        private_space_only: false,
        generation: NamedRef { id: super::place::stable_id("generation", "cedar"), name: "cedar".into() },
        infrastructure_tier: tier.clone(),
        product_dyno_tier: tier,
    }
}

pub(crate) fn formation(info: &FormationInfo) -> wire::formation::Formation {
    let FormationInfo { formation, app } = info;
    let size = formation.size.spec();
    wire::formation::Formation {
        id: formation.id.0,
        app: super::app_ref(app),
        command: formation.command.clone(),
        dyno_size: NamedRef { id: size.id.parse().unwrap_or_default(), name: size.name.into() },
        quantity: formation.quantity,
        size: size.name.into(),
        process_type: formation.process_type.to_string(),
        created_at: formation.created_at.into(),
        updated_at: formation.updated_at.into(),
    }
}
