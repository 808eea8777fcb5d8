package mesh

# METADATA
# title: streams
# description: none on this route
deny contains {"message": "no streams", "code": 7} if input.request.stream
deny contains "long" if { count(input.messages) > 2 }
warn contains msg if {
  some message in input.messages
  message.role == "system"
  msg := sprintf("%s…", [substring(message.text, 0, 3)])
}
