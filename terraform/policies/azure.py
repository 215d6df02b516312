"""The policies of Azure, in one list (`judge(resources, AZURE)`)."""

from policies import azure_identity, azure_network, azure_storage, tags

AZURE = [
    tags.every_taggable_resource_has_all_tags,
    azure_network.only_https_of_the_gateway_is_open_to_the_internet,
    azure_network.nothing_outside_of_the_cluster_reaches_the_database,
    azure_network.every_subnet_ends_with_a_refusal,
    azure_network.public_addresses_are_for_going_out,
    azure_network.control_planes_are_private,
    azure_network.what_holds_data_is_reached_by_endpoints,
    azure_storage.accounts_have_no_keys,
    azure_storage.everything_is_encrypted,
    azure_storage.keys_are_kept_and_rotated,
    azure_storage.archives_are_retained_and_versioned,
    azure_storage.what_holds_data_is_locked_against_deletion,
    azure_storage.registries_are_closed,
    azure_identity.nobody_has_everything,
    azure_identity.rights_are_on_single_things,
    azure_identity.who_assigns_roles_assigns_named_ones,
    azure_identity.archives_are_written_within_conditions,
    azure_identity.no_pipeline_writes_the_state_of_what_limits_it,
    azure_identity.trust_is_exact,
    azure_identity.there_are_no_passwords,
]
