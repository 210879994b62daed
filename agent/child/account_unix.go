//go:build unix

package child

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

const rootDir = "/"

// Account is whom a command runs as.
type Account struct {
	name, home string
	credential *syscall.Credential // nil: the agent's own
}

// FindAccount looks a user up. Only root may run commands as another.
func FindAccount(name string) (Account, error) {
	if name == "" {
		return Account{home: rootDir}, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return Account{}, fmt.Errorf("find user: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return Account{}, fmt.Errorf("user %s: id %q is no number", name, u.Uid)
	}
	a := Account{name: name, home: u.HomeDir}
	if int(uid) == os.Geteuid() {
		return a, nil
	}
	if os.Geteuid() != 0 {
		return Account{}, fmt.Errorf("user %s: the agent runs as user id %d, only root may run commands as another", name, os.Geteuid())
	}
	a.credential, err = credential(u, uint32(uid))
	return a, err
}

func credential(u *user.User, uid uint32) (*syscall.Credential, error) {
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: group id %q is no number", u.Username, u.Gid)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("groups of user %s: %w", u.Username, err)
	}
	c := &syscall.Credential{Uid: uid, Gid: uint32(gid)}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			c.Groups = append(c.Groups, uint32(n))
		}
	}
	return c, nil
}

func baseEnv(a Account) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C", "LC_ALL=C", "HOME=" + a.home,
	}
}

func (a Account) env() []string {
	if a.name == "" {
		return nil
	}
	return []string{"USER=" + a.name, "LOGNAME=" + a.name}
}

// confine gives a command a process group of its own, which is what is killed at
// the end of its time.
func (a Account) confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
