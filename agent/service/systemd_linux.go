package service

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"

	"thump/internal/vfs"
)

const (
	booted   = "/run/systemd/system" // is there where systemd runs, sd_booted(3)
	ownUnit  = "/etc/systemd/system/thump-agent.service"
	unitName = "thump-agent.service"
)

// packagedUnits is where a package puts its unit; that one is left as it is.
var packagedUnits = []string{"/usr/lib/systemd/system/" + unitName, "/lib/systemd/system/" + unitName}

// What the unit that ships says, and what replaces it.
const (
	shippedProgram = "/usr/bin/thump-agent"
	shippedConfig  = "/etc/thump-agent/agent.yaml"
	shippedData    = "/var/lib/thump-agent"
)

type systemd struct{}

// Find returns the service manager that runs, or ErrNone.
func Find() (Manager, error) {
	if _, err := os.Stat(booted); err != nil {
		return nil, ErrNone
	}
	return systemd{}, nil
}

func (systemd) Name() string { return "systemd" }

func (systemd) Install(ctx context.Context, p Plan) error {
	if p.DataDir != shippedData {
		return errors.New("under systemd the data folder is " + shippedData + ": leave --data-dir away, or run the agent without a service (--no-service)")
	}
	packaged := false
	for _, path := range packagedUnits {
		_, err := os.Stat(path)
		packaged = packaged || err == nil
	}
	if !packaged || p.Program != shippedProgram || p.Config != shippedConfig {
		if err := vfs.WriteFile(vfs.OS{}, ownUnit, unit(p)); err != nil {
			return err
		}
		if err := os.Chmod(ownUnit, 0o644); err != nil { //nolint:gosec // as units are
			return err
		}
	}
	if _, err := call(ctx, "systemctl", "daemon-reload"); err != nil {
		return err
	}
	if _, err := call(ctx, "systemctl", "enable", unitName); err != nil {
		return err
	}
	_, err := call(ctx, "systemctl", "restart", unitName)
	return err
}

// unit is the one that ships, with this plan's paths.
func unit(p Plan) []byte {
	text := bytes.ReplaceAll(p.Unit, []byte("ExecStart="+shippedProgram+" "), []byte("ExecStart="+p.Program+" "))
	return bytes.ReplaceAll(text, []byte(shippedConfig), []byte(p.Config))
}

func (systemd) Restart(ctx context.Context) error {
	_, err := call(ctx, "systemctl", "restart", unitName)
	return err
}

func (systemd) Remove(ctx context.Context) error {
	_, err := call(ctx, "systemctl", "disable", "--now", unitName)
	if removed := os.Remove(ownUnit); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	_, reloaded := call(ctx, "systemctl", "daemon-reload")
	return errors.Join(err, reloaded)
}

func (systemd) State(ctx context.Context) string {
	text, _ := call(ctx, "systemctl", "is-active", unitName) // the code only says whether the word is "active"
	return text
}
