(() => {
	const parse = s => (s.match(/[\d.]+/g) || []).map(Number)
	const over = (top, below) => {
		const a = top.length > 3 ? top[3] : 1
		return [0, 1, 2].map(i => top[i] * a + below[i] * (1 - a))
	}
	const light = c => {
		const [r, g, b] = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		return 0.2126 * r + 0.7152 * g + 0.0722 * b
	}
	const back = e => {
		const layers = []
		for (; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor))
		return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255])
	}
	const poor = []
	let texts = 0, lowest = 21
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
	for (let n; n = walk.nextNode();) {
		const e = n.parentElement, style = getComputedStyle(e)
		if (!n.textContent.trim() || !e.getClientRects().length) continue
		texts++
		const ground = back(e), ink = over(parse(style.color), ground)
		const [high, low] = [light(ink), light(ground)].sort((a, b) => b - a)
		const ratio = (high + 0.05) / (low + 0.05)
		lowest = Math.min(lowest, ratio)
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && +style.fontWeight >= 700
		if (ratio < (large ? 3 : 4.5)) poor.push(ratio.toFixed(2) + ": " + n.textContent.trim().slice(0, 60))
	}
	return { texts, poor, lowest, dark: light(back(document.documentElement)) < 0.2 }
})()
