// Package configs holds the configuration that ships with the program, so that
// it works before anybody has written a file of their own.
package configs

import "embed"

// Files are the shipped files by their path in this folder: alertmanager.yml
// and the rule files in rules.
//
//go:embed alertmanager.yml rules/hosts.yml
var Files embed.FS

// DefaultTemplate is the template of hosts that no other file says more of.
//
//go:embed templates/default.yaml
var DefaultTemplate []byte

// AgentUnit is the systemd unit of the agent, thump-agent.service.
//
//go:embed systemd/thump-agent.service
var AgentUnit []byte

// Paths in Files.
const (
	Alertmanager = "alertmanager.yml"
	Rules        = "rules/*.yml"
)
