//go:build !unix

package check

import (
	"fmt"
	"os"
	"os/exec"
)

const rootDir = ""

// account is whom a command runs as: always the agent's own user here.
type account struct{}

func findAccount(name string) (account, error) {
	if name != "" {
		return account{}, fmt.Errorf("user %s: commands run as the agent's own user on this system", name)
	}
	return account{}, nil
}

func baseEnv(account) []string {
	var env []string
	for _, name := range []string{"PATH", "SystemRoot", "SystemDrive", "TEMP", "TMP"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	return env
}

func (account) env() []string { return nil }

func (account) confine(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}
