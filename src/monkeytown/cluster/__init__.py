"""Many instances, one address: how instances find each other, speak with each other and share rooms."""
