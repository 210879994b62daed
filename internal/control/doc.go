// Package control is the language of thump.control: what servers tell agents
// and each other,
// and of thump.requests: what agents ask and report. Bodies are JSON of bounded
// size, and a field that the reader does not know is ignored, so that an agent
// and a server of different versions understand each other.
package control
