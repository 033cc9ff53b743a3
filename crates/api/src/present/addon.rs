//! Add-ons, attachments, and the marketplace they come from.

use super::app_ref;
use super::place::{SINCE, generation, region, stable_id};
use crate::pages;
use addons::{Catalog, Definition};
use ops::Settings;
use ops::addons::AddonInfo;
use ops::attachments::AttachmentInfo;
use wire::NamedRef;
use wire::addon::{Addon, AttachedAddon, Attachment, BillingEntity, Plan, Price, RegionCapability, Service};

pub(crate) fn addon(settings: &Settings, info: &AddonInfo) -> Addon {
    let AddonInfo { addon, app, config_vars } = info;
    let catalog = &settings.catalog;
    let plan = plan_of(catalog, &addon.service, &addon.plan);
    Addon {
        id: addon.id.0,
        actions: Vec::new(),
        addon_service: match catalog.service(&addon.service) {
            Some(definition) => service(definition),
            None => withdrawn_service(&addon.service),
        },
        app: app_ref(app),
        billed_price: Some(plan.price.clone()),
        billing_entity: BillingEntity { id: app.id.0, name: app.name.to_string(), kind: "app".into() },
        config_vars: config_vars.clone(),
        name: addon.name.clone(),
        plan,
        provider_id: addon.id.to_string(),
        provision_message: addon.failure.clone().unwrap_or_default(),
        state: addon.state.shown().into(),
        web_url: web_url(settings, addon),
        created_at: addon.created_at.into(),
        updated_at: addon.updated_at.into(),
    }
}

/// `with_plan` and `with_vars` are what `Accept-Inclusion` asks for.
pub(crate) fn attachment(
    settings: &Settings,
    info: &AttachmentInfo,
    with_plan: bool,
    with_vars: bool,
) -> Attachment {
    let AttachmentInfo { attachment, app, addon, config_vars } = info;
    let plan = || {
        let plan = plan_of(&settings.catalog, &addon.addon.service, &addon.addon.plan);
        NamedRef { id: plan.id, name: plan.name }
    };
    Attachment {
        id: attachment.id.0,
        addon: AttachedAddon {
            id: addon.addon.id.0,
            app: app_ref(&addon.app),
            name: addon.addon.name.clone(),
            plan: with_plan.then(plan),
        },
        app: app_ref(app),
        config_vars: with_vars.then(|| config_vars.clone()),
        log_input_url: None,
        name: attachment.name.clone(),
        namespace: attachment.namespace.clone(),
        web_url: web_url(settings, &addon.addon),
        created_at: attachment.created_at.into(),
        updated_at: attachment.updated_at.into(),
    }
}

/// Where an add-on's page is, if it has one. Who opens it logs in there.
fn web_url(settings: &Settings, addon: &domain::Addon) -> Option<String> {
    settings.catalog.service(&addon.service)?.provided?;
    Some(format!("{}{}", settings.api_origin, pages::path(addon.id)))
}

pub(crate) fn service(definition: &Definition) -> Service {
    let generation = generation();
    Service {
        id: definition.id(),
        cli_plugin_name: None,
        human_name: definition.title.clone(),
        name: definition.name.clone(),
        state: "ga".into(),
        supported_generations: vec![NamedRef { id: generation.id, name: generation.name }],
        supports_multiple_installations: definition.many_per_app,
        supports_sharing: definition.sharing,
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}

pub(crate) fn plan(definition: &Definition, plan: &addons::Plan) -> Plan {
    Plan {
        id: definition.plan_id(plan),
        addon_service: NamedRef { id: definition.id(), name: definition.name.clone() },
        compliance: None,
        default: definition.default_plan == plan.name,
        description: format!("{} {}", definition.title, plan.title),
        human_name: plan.title.clone(),
        installable_inside_private_network: false,
        installable_outside_private_network: true,
        name: definition.plan_name(plan),
        price: price(plan.cents),
        space_default: false,
        state: "public".into(),
        visible: true,
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}

pub(crate) fn region_capability(definition: &Definition, place: &ops::regions::Region) -> RegionCapability {
    RegionCapability {
        id: stable_id("addon-region-capability", &format!("{}/{}", definition.name, place.name)),
        addon_service: service(definition),
        region: region(place),
        supports_private_networking: false,
    }
}

fn price(cents: u64) -> Price {
    Price { cents, contract: false, metered: false, unit: "month".into() }
}

/// An add-on may outlive its service's or its plan's place in the catalog.
fn plan_of(catalog: &Catalog, service: &str, name: &str) -> Plan {
    if let Some(definition) = catalog.service(service)
        && let Some(found) = definition.plan(name)
    {
        return plan(definition, found);
    }
    let whole = format!("{service}:{name}");
    Plan {
        id: stable_id("plan", &whole),
        addon_service: NamedRef { id: stable_id("addon-service", service), name: service.to_owned() },
        compliance: None,
        default: false,
        description: whole.clone(),
        human_name: name.to_owned(),
        installable_inside_private_network: false,
        installable_outside_private_network: false,
        name: whole,
        price: price(0),
        space_default: false,
        state: "retired".into(),
        visible: false,
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}

fn withdrawn_service(name: &str) -> Service {
    Service {
        id: stable_id("addon-service", name),
        cli_plugin_name: None,
        human_name: name.to_owned(),
        name: name.to_owned(),
        state: "shutdown".into(),
        supported_generations: Vec::new(),
        supports_multiple_installations: false,
        supports_sharing: false,
        created_at: SINCE.into(),
        updated_at: SINCE.into(),
    }
}
