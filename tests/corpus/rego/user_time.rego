package mesh

now := input.time.ns

hour := time.clock([now, "America/New_York"])[0]

weekday := time.weekday([now, "Europe/Berlin"])

office_hours if {
	hour >= 9
	hour < 17
	not weekend
}

weekend if weekday in {"Saturday", "Sunday"}

deny contains sprintf("closed on %s at %d", [weekday, hour]) if not office_hours

out["date"] := time.date([now, "Asia/Tokyo"])

out["parsed"] := time.parse_rfc3339_ns(input.time.rfc3339)

out["same"] if time.parse_rfc3339_ns(input.time.rfc3339) == now

out["duration"] := time.parse_duration_ns("1h30m")

out["format"] := time.format([now, "UTC", "2006-01-02"])

out["diff"] := time.diff(now, time.parse_rfc3339_ns("2020-01-01T00:00:00Z"))

out["layout"] := time.parse_ns("2006-01-02", "2024-02-29")

out["expired"] if time.parse_rfc3339_ns("2023-06-01T00:00:00Z") < now
