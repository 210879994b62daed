//go:build !unix

package child

import (
	"fmt"
	"os"
	"os/exec"
)

const rootDir = ""

// Account is whom a command runs as: always the agent's own user here.
type Account struct{}

func FindAccount(name string) (Account, error) {
	if name != "" {
		return Account{}, fmt.Errorf("user %s: commands run as the agent's own user on this system", name)
	}
	return Account{}, nil
}

func baseEnv(Account) []string {
	var env []string
	for _, name := range []string{"PATH", "SystemRoot", "SystemDrive", "TEMP", "TMP"} {
		env = append(env, name+"="+os.Getenv(name))
	}
	return env
}

func (Account) env() []string { return nil }

func (Account) confine(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}
