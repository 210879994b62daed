package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// beforeSuffix is what the program before an upgrade is called, beside the new one.
const beforeSuffix = ".before"

// trial is how long a new program may take to say its version.
const trial = 30 * time.Second

// Upgrade puts a new program in the place of one, atomically, after it has been
// seen to run here; the old one stays beside it. It returns what the new one says
// of its version. A sum, SHA-256 in hexadecimal, may be "".
func Upgrade(ctx context.Context, program, file, sum string) (version string, err error) {
	fresh, err := stage(program, file, sum)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(fresh))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, trial)
	defer cancel()
	version, err = call(ctx, fresh, "version")
	if err != nil || !strings.HasPrefix(version, name+" ") {
		return "", errors.Join(fmt.Errorf("%s is no thump-agent that runs here: it says %q", file, version), err)
	}
	return version, swap(program, fresh)
}

// Restore puts the program before an upgrade back.
func Restore(program string) error { return os.Rename(program+beforeSuffix, program) }

// Settled removes the program before an upgrade. Where it still runs it stays.
func Settled(program string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	return os.Remove(program + beforeSuffix)
}

// stage copies a file beside the program, synced and checked, under a name that it
// returns.
func stage(program, file, sum string) (fresh string, err error) {
	in, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(program), ".thump-agent-*"+filepath.Ext(program))
	if err != nil {
		return "", fmt.Errorf("beside the program (run this as root): %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, hash), in)
	if err == nil {
		err = errors.Join(out.Chmod(0o755), out.Sync()) //nolint:gosec // a program for everybody
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); sum != "" && !strings.EqualFold(got, sum) {
		return "", fmt.Errorf("%s has the SHA-256 %s, not %s", file, got, sum)
	}
	return out.Name(), nil
}

// swap makes fresh the program. Where a running program cannot be replaced, as on
// Windows, it can be renamed.
func swap(program, fresh string) error {
	before := program + beforeSuffix
	if runtime.GOOS == "windows" {
		if err := os.Rename(program, before); err != nil {
			return err
		}
		return os.Rename(fresh, program)
	}
	_ = os.Remove(before) // of an upgrade that was cut short; Link says if it is still there
	if err := os.Link(program, before); err != nil {
		return err
	}
	return os.Rename(fresh, program)
}

// Settle copies a program to where a service may run it, unless it is there: not
// from somebody's home, nor from a folder for what is temporary.
func Settle(program, to string) (string, error) {
	for _, fine := range []string{"/usr/", "/opt/", "/bin/", "/sbin/"} {
		if strings.HasPrefix(program, fine) {
			return program, nil
		}
	}
	fresh, err := stage(to, program, "")
	if err != nil {
		return "", fmt.Errorf("copy the program to where the service may run it: %w", err)
	}
	if err := os.Rename(fresh, to); err != nil {
		return "", errors.Join(err, os.Remove(fresh))
	}
	return to, nil
}
