package snapshot

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// days writes a time for people: in hours below three days, in days above.
func days(d time.Duration) string {
	if d < 72*time.Hour {
		return d.Round(time.Minute).String()
	}
	return strings.TrimSuffix(strconv.FormatFloat(d.Hours()/24, 'f', 1, 64), ".0") + " d"
}

// share writes a chance as a percentage, which is 0 or 100 only when the chance is.
func share(p float64) string {
	switch {
	case p == 0 || p == 1:
		return strconv.Itoa(int(p*100)) + " %"
	case p > 0.9999:
		return "above 99.99 %"
	case p < 0.0001:
		return "below 0.01 %"
	}
	return strconv.FormatFloat(p*100, 'f', 2, 64) + " %"
}

// number writes an expected number with four significant digits.
func number(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// bytesOf writes a number of bytes in binary units.
func bytesOf(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for n >= 1024 && i < len(units)-1 {
		n /= 1024
		i++
	}
	if i == 0 {
		return fmt.Sprintf("%.0f B", n)
	}
	return fmt.Sprintf("%.1f %s", n, units[i])
}
