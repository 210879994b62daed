package control

import "thump/internal/telemetry"

// AllKey reaches every agent.
const AllKey = "all"

// FleetKey reaches those who watch hosts: what concerns the fleet as a whole.
const FleetKey = "fleet"

// HostKey reaches the agent of a host. Names that differ only in characters that
// no routing key holds share one: the message says whom it means.
func HostKey(name string) string { return "host." + telemetry.Word(name) }

// GroupKey reaches every agent of a group.
func GroupKey(name string) string { return "group." + telemetry.Word(name) }

// ReplyKey reaches whoever drew the ID, and is what a request gives as reply-to.
func ReplyKey(id string) string { return "reply." + telemetry.Word(id) }
