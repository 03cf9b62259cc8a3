package chaindraw

import (
	"fmt"
	"math"
	"strings"
)

// Colour goes from red at a chance of 0 over yellow at 0.8 to green at 1.
func Colour(chance float64) string {
	green, yellow, red := [3]float64{0xb7, 0xe1, 0xbc}, [3]float64{0xfd, 0xe7, 0x9c}, [3]float64{0xf2, 0x9a, 0x92}
	a, b, t := red, yellow, chance/0.8
	if chance >= 0.8 {
		a, b, t = yellow, green, (chance-0.8)/0.2
	}
	mix := func(i int) int { return int(math.Round(a[i] + (b[i]-a[i])*t)) }
	return fmt.Sprintf("#%02x%02x%02x", mix(0), mix(1), mix(2))
}

// DOT is a label in the language of Graphviz, in which quotation marks end it, and backslashes and what follows an ampersand
// stand for other characters.
func DOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, "&", "&amp;", `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// Short cuts a long name to so many characters, at least 4, in the middle; more of the end stays, where names differ.
func Short(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	first := (most - 1) / 3
	return string(runes[:first]) + "…" + string(runes[len(runes)-(most-1-first):])
}
