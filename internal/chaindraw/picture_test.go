package chaindraw_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/internal/chaindraw"
)

func TestPictureIsXMLWhateverItsTexts(t *testing.T) {
	bad := "</title><script>&\"'\x1b\xff"
	p := chaindraw.Picture{Title: bad, Caption: bad, Foot: bad, Rows: []chaindraw.Row{
		{Label: bad, Note: bad, Nodes: []chaindraw.Node{{Title: bad, Chance: 1}, {Title: bad, Gap: true}, {Title: bad, Square: true, Dashed: true}}},
		{From: &chaindraw.Place{Column: 0}, Column: 1, Nodes: []chaindraw.Node{{}}},
	}}
	var b strings.Builder
	require.NoError(t, p.SVG(&b))
	d := xml.NewDecoder(strings.NewReader(b.String()))
	count := map[string]int{}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok {
			count[start.Name.Local]++
		}
	}
	require.Equal(t, map[string]int{"svg": 1, "title": 5, "rect": 3, "circle": 2, "g": 4, "path": 3, "text": 6, "tspan": 2}, count)
	require.NotContains(t, b.String(), "\x1b")
}

func TestBranchesLeaveFromWhereTheySayAndFitIn(t *testing.T) {
	p := chaindraw.Picture{Rows: []chaindraw.Row{
		{Nodes: make([]chaindraw.Node, 31)},
		{From: &chaindraw.Place{Row: 0, Column: 30}, Column: 31, Nodes: make([]chaindraw.Node, 9)},
	}}
	var b strings.Builder
	require.NoError(t, p.SVG(&b))
	require.Contains(t, b.String(), `<path d="M932 87V112H962" `)           // down from the last of the row above, and to the right
	require.Contains(t, b.String(), `<path d="M962 112H1202" `)             // through the branch
	require.Contains(t, b.String(), `<circle cx="1202" cy="112" `)          // to its end
	require.Contains(t, b.String(), ` width="1660" height="176" viewBox="`) // with room for a label
}

func TestColoursGoFromRedOverYellowToGreen(t *testing.T) {
	require.Equal(t, "#f29a92", chaindraw.Colour(0))
	require.Equal(t, "#fde79c", chaindraw.Colour(0.8))
	require.Equal(t, "#b7e1bc", chaindraw.Colour(1))
}

func TestNamesAreCutInTheMiddle(t *testing.T) {
	require.Equal(t, "abc", chaindraw.Short("abc", 4))
	require.Equal(t, "ä…ghij", chaindraw.Short("äbcdefghij", 6))
	require.Len(t, []rune(chaindraw.Short(strings.Repeat("ö", 100), 40)), 40)
	require.Equal(t, `"a\\n\"\n&amp;lt;"`, chaindraw.DOT("a\\n\"\n&lt;"))
}
