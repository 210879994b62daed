package probe

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"
)

var (
	mdDisks       = gauge("node_md_disks", "Disks of an array in a state.", "device", "state")
	mdRequired    = gauge("node_md_disks_required", "Disks that an array needs to be whole.", "device")
	mdState       = gauge("node_md_state", "Whether an array is in a state.", "device", "state")
	mdBlocks      = gauge("node_md_blocks", "Blocks of an array.", "device")
	mdSynced      = gauge("node_md_blocks_synced", "Blocks of an array that are in sync.", "device")
	bondingSlaves = gauge("node_bonding_slaves", "Devices of a bond.", "master")
	bondingActive = gauge("node_bonding_active", "Devices of a bond that have a link.", "master")
)

var mdStates = []string{"active", "inactive", "recovering", "resync", "check"}

// raid reads software arrays and bonds of network devices: what is there twice,
// and whether it still is.
type raid struct { // static after construction
	proc   procfs.FS
	mdstat string
	net    string
}

func newRAID(o Options) (Probe, error) {
	proc, err := procfs.NewFS(o.Proc)
	if err != nil {
		return nil, fmt.Errorf("open proc: %w", err)
	}
	return &raid{proc, filepath.Join(o.Proc, "mdstat"), filepath.Join(o.Sys, "class", "net")}, nil
}

// Name implements Probe.
func (*raid) Name() string { return "raid" }

// Collect implements Probe.
func (p *raid) Collect(_ context.Context, s *Sink) error {
	return errors.Join(p.addArrays(s), p.addBonds(s))
}

func (p *raid) addArrays(s *Sink) error {
	if !exists(p.mdstat) {
		return nil
	}
	arrays, err := p.proc.MDStat()
	if err != nil {
		return fmt.Errorf("read arrays: %w", err)
	}
	for i := range arrays {
		a := &arrays[i]
		for _, state := range mdStates {
			in := a.ActivityState == state || state == "resync" && a.ActivityState == "resyncing" || state == "check" && a.ActivityState == "checking"
			s.Add(mdState, flag(in), a.Name, state)
		}
		s.Add(mdDisks, float64(a.DisksActive), a.Name, "active")
		s.Add(mdDisks, float64(a.DisksDown), a.Name, "down")
		s.Add(mdDisks, float64(a.DisksFailed), a.Name, "failed")
		s.Add(mdDisks, float64(a.DisksSpare), a.Name, "spare")
		s.Add(mdRequired, float64(a.DisksTotal), a.Name)
		s.Add(mdBlocks, float64(a.BlocksTotal), a.Name)
		s.Add(mdSynced, float64(a.BlocksSynced), a.Name)
	}
	return nil
}

func (p *raid) addBonds(s *Sink) error {
	masters, err := os.ReadFile(filepath.Join(p.net, "bonding_masters"))
	if absent(err) != nil {
		return fmt.Errorf("read bonds: %w", err)
	}
	for _, master := range strings.Fields(string(masters)) {
		dir := filepath.Join(p.net, master)
		slaves := strings.Fields(attribute(filepath.Join(dir, "bonding", "slaves")))
		active := 0
		for _, slave := range slaves {
			status := attribute(filepath.Join(dir, "lower_"+slave, "bonding_slave", "mii_status"))
			if status == "" { // before Linux 4.5
				status = attribute(filepath.Join(dir, "slave_"+slave, "bonding_slave", "mii_status"))
			}
			if status == "up" {
				active++
			}
		}
		s.Add(bondingSlaves, float64(len(slaves)), master)
		s.Add(bondingActive, float64(active), master)
	}
	return nil
}
