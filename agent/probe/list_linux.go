package probe

// onlyHere are the probes that only this system has.
var onlyHere = []entry{
	{"pressure", newPressure, false},
	{"netstat", newNetstat, false},
	{"system", newSystem, false},
	{"raid", newRAID, false},
	{"hardware", newHardware, false},
	{"tcp", newTCP, true},
	{"processes", newProcesses, true},
	{"top", newTop, true},
	{"systemd", newSystemd, true},
}

// elsewhere names the probes that other systems have.
var elsewhere []string
