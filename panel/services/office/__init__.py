"""What operators see of orders and do with them; every act goes through the services that customers' acts use."""
