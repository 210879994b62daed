// Package service has the system's service manager run the agent: systemd, launchd,
// or Windows's own.
package service
