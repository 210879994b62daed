package probe

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

var (
	timexOffset     = gauge("node_timex_offset_seconds", "How far the clock is from its reference.")
	timexMaxError   = gauge("node_timex_maxerror_seconds", "Maximum error of the clock.")
	timexEstimated  = gauge("node_timex_estimated_error_seconds", "Estimated error of the clock.")
	timexStatus     = gauge("node_timex_status", "Status bits of the clock, adjtimex(2).")
	timexSync       = gauge("node_timex_sync_status", "Whether the clock is synchronized.")
	timexFrequency  = gauge("node_timex_frequency_adjustment_ratio", "Adjustment of the clock's frequency.")
	timexConstant   = gauge("node_timex_loop_time_constant", "Time constant of the phase-locked loop.")
	timexTick       = gauge("node_timex_tick_seconds", "Time between two ticks of the clock.")
	timexTAI        = gauge("node_timex_tai_offset_seconds", "Offset of International Atomic Time.")
	timexPPSFreq    = gauge("node_timex_pps_frequency_hertz", "Frequency of the pulse per second.")
	timexPPSJitter  = gauge("node_timex_pps_jitter_seconds", "Jitter of the pulse per second.")
	timexPPSShift   = gauge("node_timex_pps_shift_seconds", "Interval of the pulse per second.")
	timexPPSStable  = gauge("node_timex_pps_stability_hertz", "Stability of the pulse per second.")
	timexPPSJitters = counter("node_timex_pps_jitter_total", "Jitter limit exceeded by the pulse per second.")
	timexPPSCalib   = counter("node_timex_pps_calibration_total", "Calibration intervals of the pulse per second.")
	timexPPSErrors  = counter("node_timex_pps_error_total", "Calibration errors of the pulse per second.")
	timexPPSExceeds = counter("node_timex_pps_stability_exceeded_total", "Stability limit exceeded by the pulse per second.")
)

const (
	staNano   = 0x2000  // STA_NANO: offset and jitter are nanoseconds, else microseconds
	timeError = 5       // TIME_ERROR: the clock is not synchronized
	ppm16     = 65536e6 // frequencies are parts per million with 16 bits of fraction
)

// addTimex asks the kernel how well the clock is kept; it changes nothing.
func addTimex(s *Sink) error {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) { // a sandbox
		return nil
	}
	if err != nil {
		return fmt.Errorf("adjtimex: %w", err)
	}
	resolution := 1e-6
	if t.Status&staNano != 0 {
		resolution = 1e-9
	}
	s.Add(timexOffset, float64(t.Offset)*resolution)
	s.Add(timexMaxError, float64(t.Maxerror)/1e6)
	s.Add(timexEstimated, float64(t.Esterror)/1e6)
	s.Add(timexStatus, float64(t.Status))
	s.Add(timexSync, flag(state != timeError))
	s.Add(timexFrequency, 1+float64(t.Freq)/ppm16)
	s.Add(timexConstant, float64(t.Constant))
	s.Add(timexTick, float64(t.Tick)/1e6)
	s.Add(timexTAI, float64(t.Tai))
	addPPS(s, &t, resolution)
	return nil
}

func addPPS(s *Sink, t *unix.Timex, resolution float64) {
	s.Add(timexPPSFreq, float64(t.Ppsfreq)/ppm16)
	s.Add(timexPPSJitter, float64(t.Jitter)*resolution)
	s.Add(timexPPSShift, float64(t.Shift))
	s.Add(timexPPSStable, float64(t.Stabil)/ppm16)
	s.Add(timexPPSJitters, float64(t.Jitcnt))
	s.Add(timexPPSCalib, float64(t.Calcnt))
	s.Add(timexPPSErrors, float64(t.Errcnt))
	s.Add(timexPPSExceeds, float64(t.Stbcnt))
}
