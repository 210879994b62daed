package faulty

// A Kind is a kind of operation.
type Kind uint8

// The operations that can fail. Size, Close, MkdirAll, ReadDir and Lock cannot.
const (
	Create Kind = iota + 1
	Open
	Read
	Write
	Sync
	Truncate
	Allocate
	Rename
	Remove
	SyncDir
)

// String returns the kind's name.
func (k Kind) String() string {
	return [...]string{"", "create", "open", "read", "write", "sync", "truncate", "allocate", "rename", "remove", "syncdir"}[k]
}

// Changes tells whether the operation is one that changes the disk.
func (k Kind) Changes() bool { return k != Open && k != Read }

// An Op is an operation that is about to be done.
type Op struct {
	Kind Kind
	Name string // the file's path, for Rename the new one
	N    int    // counts the operations that change the disk, from 1
}

// A Fault says how an operation fails.
type Fault struct {
	Err      error
	After    bool // it takes effect all the same
	Part     int  // this many bytes of a write take effect
	PowerCut bool // from this operation on everything fails with ErrPowerCut; Err is ignored
}

// Fail has the disk ask fail before every operation; a nil Fault lets it pass. A nil
// fail mends the disk. It must not use the disk.
func (f *FS) Fail(fail func(Op) *Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// Ops returns the number of operations so far that change the disk.
func (f *FS) Ops() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ops
}

func (f *FS) do(k Kind, name string, effect func() error) error {
	return f.doPart(k, name, 0, func(int) error { return effect() })
}

// doPart does an operation of a given size, the part of it that the fault allows.
func (f *FS) doPart(k Kind, name string, size int, effect func(part int) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off {
		return ErrPowerCut
	}
	fault := f.ask(k, name)
	if fault == nil {
		return effect(size)
	}
	err := fault.Err
	if fault.PowerCut {
		err = ErrPowerCut
	}
	switch {
	case fault.After:
		if failed := effect(size); failed != nil {
			err = failed
		}
	case fault.Part > 0:
		if failed := effect(min(fault.Part, size)); failed != nil {
			err = failed
		}
	}
	f.off = fault.PowerCut
	return err
}

func (f *FS) ask(k Kind, name string) *Fault {
	if k.Changes() {
		f.ops++
	}
	if f.fail == nil {
		return nil
	}
	return f.fail(Op{Kind: k, Name: name, N: f.ops})
}
