package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// statTimeout is how long a filesystem may take to answer.
const statTimeout = 5 * time.Second

// errStuck: the filesystem has not answered an earlier question yet.
var errStuck = errors.New("filesystem does not answer")

// filesystem reads how full the mounted filesystems are.
//
// A network filesystem whose server is gone blocks statfs for good, and nothing
// can interrupt it. So each call has a goroutine of its own that the probe stops
// waiting for; the mount point is not asked again until that call has returned,
// which bounds the goroutines left behind by the number of mount points.
type filesystem struct {
	root string                                     // mount point of proc; static after construction
	proc procfs.FS                                  // static after construction
	stat func(path string, st *unix.Statfs_t) error // static after construction

	// Owned by Collect.
	buf   lines
	text  []byte  // mountinfo of which known was made
	known []mount // not changed

	mu    sync.Mutex
	stuck map[string]bool // by mount point; guarded by mu
}

func newFilesystem(o Options) (Probe, error) {
	proc, err := procfs.NewFS(o.Proc)
	if err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	return &filesystem{root: o.Proc, proc: proc, stat: unix.Statfs, stuck: map[string]bool{}}, nil
}

// Name implements Probe.
func (*filesystem) Name() string { return "filesystem" }

// Collect implements Probe.
func (p *filesystem) Collect(ctx context.Context, s *Sink) error {
	mounts, err := p.mounts()
	if err != nil {
		return fmt.Errorf("read mounts: %w", err)
	}
	for i := range mounts {
		u, err := p.usage(ctx, mounts[i].mountpoint)
		if err != nil {
			mounts[i].addError(s)
			continue
		}
		mounts[i].add(s, u)
	}
	return nil
}

// mounts lists what process 1 sees, since this one may be confined by systemd; in
// a container that is not allowed, and its own view is the right one. It is the
// list of the last run as long as the kernel says the same.
func (p *filesystem) mounts() ([]mount, error) {
	read := func() ([]*procfs.MountInfo, error) { return p.proc.GetProcMounts(1) }
	err := p.buf.load(filepath.Join(p.root, "1", "mountinfo"))
	if err != nil {
		read = p.proc.GetMounts
		err = p.buf.load(filepath.Join(p.root, "self", "mountinfo"))
	}
	if err != nil {
		return nil, err
	}
	if bytes.Equal(p.buf.buf, p.text) {
		return p.known, nil
	}
	infos, err := read()
	if err != nil {
		return nil, err
	}
	p.text, p.known = bytes.Clone(p.buf.buf), distinct(infos)
	return p.known, nil
}

// distinct are the mounts that count, each once: a device may be mounted on one
// place several times.
func distinct(infos []*procfs.MountInfo) (mounts []mount) {
	seen := map[mount]bool{}
	for _, i := range infos {
		m := mountOf(i)
		identity := m
		identity.readonly = false
		if !m.ignored() && !seen[identity] {
			seen[identity] = true
			mounts = append(mounts, m)
		}
	}
	return mounts
}

func mountOf(i *procfs.MountInfo) mount {
	_, mountRO := i.Options["ro"]
	_, superRO := i.SuperOptions["ro"]
	return mount{
		device:     unescape.Replace(i.Source),
		fstype:     i.FSType,
		mountpoint: unescape.Replace(i.MountPoint),
		readonly:   mountRO || superRO,
	}
}

// unescape undoes what the kernel does to names in mountinfo, proc(5).
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// usage asks one filesystem, and gives up after a while.
func (p *filesystem) usage(ctx context.Context, path string) (usage, error) {
	if !p.enter(path) {
		return usage{}, errStuck
	}
	type answer struct {
		u   usage
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		var st unix.Statfs_t
		err := p.stat(path, &st)
		p.leave(path)
		answers <- answer{usageOf(&st), err}
	}()
	ctx, cancel := context.WithTimeout(ctx, statTimeout)
	defer cancel()
	select {
	case a := <-answers:
		return a.u, a.err
	case <-ctx.Done():
		return usage{}, errStuck
	}
}

func (p *filesystem) enter(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stuck[path] {
		return false
	}
	p.stuck[path] = true
	return true
}

func (p *filesystem) leave(path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.stuck, path)
}

func usageOf(st *unix.Statfs_t) usage {
	block := float64(st.Bsize)
	return usage{
		size:      float64(st.Blocks) * block,
		free:      float64(st.Bfree) * block,
		avail:     float64(st.Bavail) * block,
		files:     float64(st.Files),
		filesFree: float64(st.Ffree),
	}
}
