package service

import (
	"context"
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"strings"

	"thump/internal/vfs"
)

const (
	label     = "thump-agent"
	plistPath = "/Library/LaunchDaemons/thump-agent.plist"
	target    = "system/" + label
)

type launchd struct{}

// Find returns the service manager that runs, which on this system is launchd.
func Find() (Manager, error) { return launchd{}, nil }

func (launchd) Name() string { return "launchd" }

func (launchd) Install(ctx context.Context, p Plan) error {
	text, err := plist(p)
	if err != nil {
		return err
	}
	if err := vfs.WriteFile(vfs.OS{}, plistPath, text); err != nil {
		return err
	}
	if err := os.Chmod(plistPath, 0o644); err != nil { //nolint:gosec // as plists are
		return err
	}
	_, _ = call(ctx, "launchctl", "bootout", target) // one that is not loaded cannot be
	_, err = call(ctx, "launchctl", "bootstrap", "system", plistPath)
	return err
}

// plist is launchd.plist(5) of the service.
func plist(p Plan) ([]byte, error) {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key><string>` + label + `</string>
	<key>ProgramArguments</key>
	<array>
`)
	for _, arg := range []string{p.Program, "run", "--config", p.Config, "--data-dir", p.DataDir} {
		b.WriteString("\t\t<string>")
		if err := xml.EscapeText(&b, []byte(arg)); err != nil {
			return nil, err
		}
		b.WriteString("</string>\n")
	}
	b.WriteString(`	</array>
	<key>RunAtLoad</key><true/>
	<key>KeepAlive</key><true/>
	<key>ProcessType</key><string>Background</string>
	<key>Umask</key><integer>63</integer>
	<key>StandardErrorPath</key><string>/var/log/thump-agent.log</string>
</dict>
</plist>
`)
	return []byte(b.String()), nil
}

func (launchd) Restart(ctx context.Context) error {
	_, err := call(ctx, "launchctl", "kickstart", "-k", target)
	return err
}

func (launchd) Remove(ctx context.Context) error {
	_, err := call(ctx, "launchctl", "bootout", target)
	if removed := os.Remove(plistPath); removed != nil && !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

func (launchd) State(ctx context.Context) string {
	text, err := call(ctx, "launchctl", "print", target)
	if err != nil {
		return "not loaded"
	}
	for line := range strings.Lines(text) {
		if s, ok := strings.CutPrefix(strings.TrimSpace(line), "state = "); ok {
			return s
		}
	}
	return "loaded"
}
