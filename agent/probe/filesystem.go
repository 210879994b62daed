package probe

import "regexp"

var filesystemLabels = []string{"device", "fstype", "mountpoint"}

var (
	fsSize        = gauge("node_filesystem_size_bytes", "Size of a filesystem.", filesystemLabels...)
	fsFree        = gauge("node_filesystem_free_bytes", "Free space of a filesystem.", filesystemLabels...)
	fsAvail       = gauge("node_filesystem_avail_bytes", "Space of a filesystem that is free to users other than root.", filesystemLabels...)
	fsFiles       = gauge("node_filesystem_files", "Inodes of a filesystem.", filesystemLabels...)
	fsFilesFree   = gauge("node_filesystem_files_free", "Free inodes of a filesystem.", filesystemLabels...)
	fsReadonly    = gauge("node_filesystem_readonly", "Whether a filesystem is mounted read-only.", filesystemLabels...)
	fsDeviceError = gauge("node_filesystem_device_error", "Whether a filesystem did not answer.", filesystemLabels...)
)

// node_exporter's defaults of --collector.filesystem.mount-points-exclude and
// --collector.filesystem.fs-types-exclude on Linux.
var (
	ignoredMountpoints = regexp.MustCompile(`^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`)
	ignoredFilesystems = regexp.MustCompile(`^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|erofs|sysfs|tracefs)$`)
)

// mount is a mounted filesystem.
type mount struct {
	device, fstype, mountpoint string
	readonly                   bool
}

// usage is how full a filesystem is.
type usage struct{ size, free, avail, files, filesFree float64 }

func (m *mount) ignored() bool {
	return ignoredMountpoints.MatchString(m.mountpoint) || ignoredFilesystems.MatchString(m.fstype)
}

// add adds a filesystem that answered.
func (m *mount) add(s *Sink, u usage) {
	s.Add(fsSize, u.size, m.device, m.fstype, m.mountpoint)
	s.Add(fsFree, u.free, m.device, m.fstype, m.mountpoint)
	s.Add(fsAvail, u.avail, m.device, m.fstype, m.mountpoint)
	s.Add(fsFiles, u.files, m.device, m.fstype, m.mountpoint)
	s.Add(fsFilesFree, u.filesFree, m.device, m.fstype, m.mountpoint)
	s.Add(fsReadonly, flag(m.readonly), m.device, m.fstype, m.mountpoint)
	s.Add(fsDeviceError, 0, m.device, m.fstype, m.mountpoint)
}

// addError adds one that did not.
func (m *mount) addError(s *Sink) {
	s.Add(fsReadonly, flag(m.readonly), m.device, m.fstype, m.mountpoint)
	s.Add(fsDeviceError, 1, m.device, m.fstype, m.mountpoint)
}

// flag is a truth value as a sample.
func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
