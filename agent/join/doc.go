// Package join lets a host in to a server, and out again: it asks by a token over
// TLS whose CA is pinned, and keeps what it is given in the agent's configuration.
package join
